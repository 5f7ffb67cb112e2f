import { abortable, onAbort } from '@ashlar/core';
import type { Change, Entry } from '../store.ts';

/** A reader that falls further behind than this many keys gets a `reset`. */
export const maxPendingKeys = 10_000;

/** How many values a watch holds for its reader at most. */
const batch = 16;

/** The present state of the keys, in their order. It may take its time, until the signal aborts. */
export type Fetch = (keys: readonly string[], signal: AbortSignal) => Promise<readonly (Entry | undefined)[]>;

/**
 * One reader's watch, the same for every backend: it keeps the keys that have changed since the reader last asked, and
 * looks up their present state when the reader asks again. So a slow reader costs memory for keys only, and in whatever
 * order changes are published, the state that the reader gets last is the last.
 */
export class Watcher implements AsyncIterableIterator<Change> {
  readonly prefix: string;
  readonly #fetch: Fetch;
  readonly #stopListening: (() => void) | undefined;
  readonly #ended = new AbortController();
  readonly #left: (watcher: Watcher) => void;
  readonly #dirty = new Set<string>();
  #ready: Change[] = [];
  #resets = 0;
  #missed = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  /** @param left called once, when the watch has ended */
  constructor(prefix: string, signal: AbortSignal, fetch: Fetch, left: (watcher: Watcher) => void) {
    this.prefix = prefix;
    this.#fetch = fetch;
    this.#left = left;
    this.#stopListening = onAbort(signal, this.#end);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  get ended(): boolean {
    return this.#ended.signal.aborted;
  }

  /** The key changed. */
  touch(key: string): void {
    if (this.ended || !key.startsWith(this.prefix)) return;
    this.#dirty.delete(key);
    this.#dirty.add(key);
    if (this.#dirty.size > maxPendingKeys) this.reset();
    else this.#wake?.();
  }

  /** Changes may have been missed until now. */
  reset(): void {
    if (this.ended) return;
    this.#dirty.clear();
    this.#ready = [];
    this.#resets++;
    this.#missed = true;
    this.#wake?.();
  }

  /** Ends the watch with an error, which the reader gets once. */
  fail(error: Error): void {
    if (this.ended) return;
    this.#failure = error;
    this.#end();
  }

  next(): Promise<IteratorResult<Change>> {
    const result = this.#turn.then(() => this.#take());
    this.#turn = result.catch(() => {});
    return result;
  }

  return(): Promise<IteratorResult<Change>> {
    this.#end();
    return Promise.resolve({ done: true, value: undefined });
  }

  async #take(): Promise<IteratorResult<Change>> {
    for (;;) {
      if (this.ended) {
        const failure = this.#failure;
        this.#failure = undefined;
        if (failure !== undefined) throw failure;
        return { done: true, value: undefined };
      }
      if (this.#missed) {
        this.#missed = false;
        return { done: false, value: { type: 'reset' } };
      }
      const value = this.#ready.shift();
      if (value !== undefined) return { done: false, value };
      if (this.#dirty.size > 0) await this.#load();
      else await new Promise<void>(resolve => (this.#wake = resolve));
      this.#wake = undefined;
    }
  }

  async #load(): Promise<void> {
    const keys: string[] = [];
    for (const key of this.#dirty) {
      if (keys.push(key) === batch) break;
    }
    for (const key of keys) this.#dirty.delete(key);
    const resets = this.#resets;
    const { signal } = this.#ended;
    const entries = await abortable(this.#fetch(keys, signal), signal).catch((error: unknown) => {
      if (!signal.aborted) this.fail(error instanceof Error ? error : new Error(String(error)));
    });
    // State from before a reset may be older than what the reader lists after it
    if (entries === undefined || resets !== this.#resets) return;
    this.#ready = keys.map((key, index) => {
      const entry = entries[index];
      return entry === undefined ? { type: 'delete', key } : { type: 'put', entry };
    });
  }

  readonly #end = (): void => {
    if (this.ended) return;
    this.#ended.abort();
    this.#stopListening?.();
    this.#dirty.clear();
    this.#ready = [];
    this.#wake?.();
    this.#left(this);
  };
}
