import { backgroundClock, knownOptions } from '@ashlar/core';
import type { Backend } from './backend.ts';
import { channels } from './diagnostics.ts';
import { StoreClosedError, StoreUnavailableError } from './errors.ts';
import { checkKey, checkSignal, checkToken, checkTtl, checkValue, checkVersion } from './limits.ts';
import type {
  Change,
  Claim,
  ClaimOptions,
  DeleteOptions,
  Entry,
  ManagedStore,
  SetOptions,
  Store,
  StoreSnapshot,
  TtlOption,
  Version,
  WatchOptions,
} from './store.ts';
import { Watcher } from './watcher.ts';

/** How long a watch waits before it looks up a change again that the backend could not answer. */
const lookUpAgainMs = 100;

/** A store over any backend: checks what it is given, divides what is long, keeps the watches. */
export class BackendStore implements ManagedStore {
  readonly name: string;
  readonly #backend: Backend;
  readonly #watchers = new Set<Watcher>();
  #stopListening: (() => void) | undefined;
  #pending = 0;
  #closing: Promise<void> | undefined;

  constructor(name: string, backend: Backend) {
    this.name = name;
    this.#backend = backend;
  }

  get durability(): Store['durability'] {
    return this.#backend.durability;
  }

  get(key: string): Promise<Entry | undefined> {
    return this.#run('get', async () => (await this.#backend.read([checkKey(key)]))[0]);
  }

  getMany(keys: readonly string[]): Promise<(Entry | undefined)[]> {
    return this.#run('getMany', async () => {
      for (const key of keys) checkKey(key);
      const { batchKeys } = this.#backend;
      const found: (Entry | undefined)[] = [];
      await this.#pipeline(batches(keys, batchKeys), async (part, index) => {
        const entries = await this.#backend.read(part);
        for (let i = 0; i < entries.length; i++) found[index * batchKeys + i] = entries[i];
      });
      return found;
    });
  }

  set(key: string, value: Uint8Array, options: SetOptions = {}): Promise<Version> {
    return this.#run('set', () => {
      knownOptions('set', options, ['ttlMs', 'ifVersion']);
      const { ttlMs, ifVersion } = options;
      return this.#backend.write(
        checkKey(key),
        checkValue(key, value),
        ttlMs === undefined ? undefined : checkTtl(ttlMs),
        ifVersion === undefined ? undefined : checkVersion(ifVersion),
      );
    });
  }

  setMany(entries: Iterable<readonly [string, Uint8Array]>, options: TtlOption = {}): Promise<void> {
    return this.#run('setMany', async () => {
      knownOptions('setMany', options, ['ttlMs']);
      const ttlMs = options.ttlMs === undefined ? undefined : checkTtl(options.ttlMs);
      const parts = batches(checked(entries), this.#backend.batchKeys, sizeOf);
      await this.#pipeline(parts, part => this.#backend.writeAll(part, ttlMs));
    });
  }

  delete(key: string, options: DeleteOptions = {}): Promise<boolean> {
    return this.#run('delete', () => {
      knownOptions('delete', options, ['ifVersion']);
      const { ifVersion } = options;
      return this.#backend.remove(
        checkKey(key),
        ifVersion === undefined ? undefined : checkVersion(ifVersion),
      );
    });
  }

  async *list(prefix: string): AsyncGenerator<Entry, void, undefined> {
    checkKey(prefix, 'prefix');
    let after: string | undefined;
    do {
      const page = await this.#run('list', () => this.#backend.page(prefix, after));
      yield* page.entries;
      after = page.next;
    } while (after !== undefined);
  }

  watch(prefix: string, options: WatchOptions): AsyncIterable<Change> {
    const watcher = new Watcher(
      checkKey(prefix, 'prefix'),
      checkSignal(options.signal),
      (keys, signal) => this.#present(keys, signal),
      ended => this.#leave(ended),
    );
    if (this.#closing !== undefined) watcher.fail(new StoreClosedError(this.name));
    if (watcher.ended) return watcher;
    this.#watchers.add(watcher);
    this.#stopListening ??= this.#backend.listen({
      changed: key => {
        for (const each of this.#watchers) each.touch(key);
      },
      missed: reason => {
        if (channels.reset.hasSubscribers) channels.reset.publish({ store: this.name, reason });
        for (const each of this.#watchers) each.reset();
      },
    });
    return watcher;
  }

  claim(name: string, holder: string, ttlMs: number, options: ClaimOptions = {}): Promise<Claim | undefined> {
    return this.#run('claim', () => {
      knownOptions('claim', options, ['above']);
      const above = options.above === undefined ? undefined : checkToken('above', options.above);
      return this.#backend.claim(checkKey(name, 'name'), checkKey(holder, 'holder'), checkTtl(ttlMs), above);
    });
  }

  release(name: string, token: bigint): Promise<boolean> {
    return this.#run('release', () =>
      this.#backend.release(checkKey(name, 'name'), checkToken('token', token)),
    );
  }

  snapshot(): StoreSnapshot {
    const { kind, durability, connected } = this.#backend;
    const state = this.#closing !== undefined ? 'closed' : connected ? 'connected' : 'disconnected';
    const watches = this.#watchers.size;
    return { name: this.name, backend: kind, durability, state, pending: this.#pending, watches };
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      for (const watcher of [...this.#watchers]) watcher.fail(new StoreClosedError(this.name));
      await this.#backend.close();
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run<T>(operation: string, work: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new StoreClosedError(this.name);
    const startedAt = channels.operation.hasSubscribers ? performance.now() : undefined;
    const publish = (outcome: { error?: unknown }) => {
      if (startedAt === undefined) return;
      const durationMs = performance.now() - startedAt;
      channels.operation.publish({ store: this.name, operation, durationMs, ...outcome });
    };
    this.#pending++;
    try {
      const result = await work();
      publish({});
      return result;
    } catch (error) {
      publish({ error });
      throw error;
    } finally {
      this.#pending--;
    }
  }

  /** Works on the parts in order, with no more on their way than the backend takes. */
  async #pipeline<T>(parts: Iterable<T>, work: (part: T, index: number) => Promise<void>): Promise<void> {
    const underWay: Promise<void>[] = [];
    let index = 0;
    try {
      for (const part of parts) {
        const working = work(part, index++);
        working.catch(() => {}); // told by the await below, or less important than what ended the loop
        if (underWay.push(working) >= this.#backend.window) await underWay.shift();
      }
    } finally {
      await Promise.all(underWay);
    }
  }

  async #present(keys: readonly string[], signal: AbortSignal): Promise<readonly (Entry | undefined)[]> {
    for (;;) {
      try {
        return await this.#backend.read(keys);
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) throw error;
        await backgroundClock.sleep(lookUpAgainMs, signal);
      }
    }
  }

  #leave(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    if (this.#watchers.size > 0) return;
    this.#stopListening?.();
    this.#stopListening = undefined;
  }
}

/** So much of values goes into one batch, whatever their number. */
const batchBytes = 2 ** 20;

function* batches<T>(items: Iterable<T>, count: number, size: (item: T) => number = () => 0): Generator<T[]> {
  let batch: T[] = [];
  let bytes = 0;
  for (const item of items) {
    bytes += size(item);
    if (batch.push(item) < count && bytes < batchBytes) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

function* checked(
  entries: Iterable<readonly [string, Uint8Array]>,
): Generator<readonly [string, Uint8Array]> {
  for (const entry of entries) {
    checkValue(checkKey(entry[0]), entry[1]);
    yield entry;
  }
}

function sizeOf([, value]: readonly [string, Uint8Array]): number {
  return value.byteLength;
}
