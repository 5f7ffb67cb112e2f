import assert from 'node:assert/strict';
import type { Change, Entry, Store } from '../store.ts';
import { type Subject, until } from './subject.ts';

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function textOf(entry: Entry | undefined): string | undefined {
  return entry && new TextDecoder().decode(entry.value);
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

export async function keysOf(store: Store, prefix: string): Promise<string[]> {
  return (await all(store.list(prefix))).map(({ key }) => key);
}

export function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

/** Bytes in an order that is the same everywhere. */
export function byUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** The state of a reader that watches, lists, then follows the watch, and lists again at each reset. */
export class Mirror implements AsyncDisposable {
  readonly state: Map<string, string> = new Map();
  readonly heard: Change[] = [];
  readonly #end = new AbortController();
  readonly #following: Promise<void>;

  constructor(store: Store, prefix: string) {
    const changes = store.watch(prefix, { signal: this.#end.signal });
    this.#following = this.#follow(store, prefix, changes);
    this.#following.catch(() => {});
  }

  get resets(): number {
    return this.heard.filter(({ type }) => type === 'reset').length;
  }

  /** Waits until its state is that of a list, when no more writes come. */
  async agrees(subject: Subject, store: Store, prefix: string): Promise<void> {
    const listed = new Map<string, string>();
    for (const entry of await all(store.list(prefix))) listed.set(entry.key, textOf(entry)!);
    await until(subject, () => same(this.state, listed)).catch(() => {
      assert.deepEqual(new Map([...this.state].sort()), new Map([...listed].sort()));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#following;
  }

  async #follow(store: Store, prefix: string, changes: AsyncIterable<Change>): Promise<void> {
    await this.#list(store, prefix);
    for await (const change of changes) {
      this.heard.push(change);
      if (change.type === 'put') this.state.set(change.entry.key, textOf(change.entry)!);
      else if (change.type === 'delete') this.state.delete(change.key);
      else await this.#list(store, prefix);
    }
  }

  async #list(store: Store, prefix: string): Promise<void> {
    const listed: Entry[] = [];
    for (let attempt = 1; listed.length === 0; attempt++) {
      try {
        listed.push(...(await all(store.list(prefix))));
        break;
      } catch (error) {
        if (attempt === 20) throw error;
      }
    }
    this.state.clear();
    for (const entry of listed) this.state.set(entry.key, textOf(entry)!);
  }
}

function same(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}
