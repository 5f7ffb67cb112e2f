import type { LoadContext } from '../../src/index.ts';
import type { Gates } from './gates.ts';
import { forever, type Harm, HarmError } from './harm.ts';
import type { Value } from './values.ts';

/** What the source tells of. */
export interface SourceEvents {
  loading(cache: number, keys: readonly number[], context: LoadContext): SourceLoad;
  /** A strategy has written it. */
  applied(cache: number, key: number, value: Value | undefined): void;
  refused(cache: number, key: number, value: Value | undefined): void;
}

export interface SourceLoad {
  brought(values: ReadonlyMap<number, Value>): void;
  failed(): void;
}

/** The source of the keys, which are numbers here: reads and writes take their time before and after what they do. */
export class Source {
  readonly #values = new Map<number, Value>();
  readonly #gates: Gates;
  readonly #harm: Harm;
  readonly #events: SourceEvents;
  /** Writes that never settle. */
  hungWrites = 0;

  constructor(gates: Gates, harm: Harm, events: SourceEvents) {
    this.#gates = gates;
    this.#harm = harm;
    this.#events = events;
  }

  put(key: number, value: Value | undefined): void {
    if (value === undefined) this.#values.delete(key);
    else this.#values.set(key, value);
  }

  async load(cache: number, key: number, context: LoadContext): Promise<Value | undefined> {
    return (await this.#read('load', cache, [key], context)).get(key);
  }

  loadMany(
    cache: number,
    keys: readonly number[],
    context: LoadContext,
  ): Promise<ReadonlyMap<number, Value>> {
    return this.#read('loadMany', cache, keys, context);
  }

  async write(cache: number, changes: readonly { key: number; value: Value | undefined }[]): Promise<void> {
    const how = this.#harm.take('write');
    await this.#gates.pass();
    if (how !== undefined && how !== 'late') {
      for (const { key, value } of changes) this.#events.refused(cache, key, value);
      if (how === 'hangs') {
        this.hungWrites++;
        return forever();
      }
      throw new HarmError('write');
    }
    for (const { key, value } of changes) {
      this.put(key, value);
      this.#events.applied(cache, key, value);
    }
    await this.#gates.pass();
    if (how === 'late') throw new HarmError('write');
  }

  async #read(
    what: 'load' | 'loadMany',
    cache: number,
    keys: readonly number[],
    context: LoadContext,
  ): Promise<ReadonlyMap<number, Value>> {
    const load = this.#events.loading(cache, keys, context);
    const how = this.#harm.take(what);
    if (how === 'hangs') return forever();
    await this.#gates.pass();
    if (how === 'throws' || (how === 'nonsense' && what === 'load')) {
      load.failed();
      throw new HarmError(what);
    }
    const found = new Map<number, Value>();
    for (const key of keys) {
      const value = this.#values.get(key);
      if (value !== undefined) found.set(key, value);
    }
    await this.#gates.pass();
    if (how === 'late') {
      load.failed();
      throw new HarmError(what);
    }
    if (how === 'nonsense') {
      load.failed();
      return [1, undefined, 'pair'] as never;
    }
    load.brought(found);
    return found;
  }
}
