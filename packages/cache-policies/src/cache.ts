import { describe, functionOf, InvalidOptionError } from '@ashlar/core';
import { CacheClosedError } from './errors.ts';
import {
  type CacheOptions,
  checkCallOptions,
  checkKeys,
  checkTags,
  type GetManyOptions,
  type GetOptions,
  type Load,
  type LoadContext,
  type SetOptions,
} from './options.ts';
import { Reader } from './reads/reader.ts';
import { type CacheSnapshot, snapshotOf } from './snapshot.ts';
import { CacheState } from './state.ts';
import { TierUpdates } from './writes/tier-updates.ts';
import type { Writer } from './writes/write-strategy.ts';

const loadRule = functionOf<Load<never, never>>('write `cache.get(key, load, options)`');

/**
 * Values by key: in this process, bounded by an eviction policy; if wanted, in a tier that other processes share; and from
 * a source, which is asked once however many wait.
 *
 * After `set`, `delete`, `invalidateTags` or `clear` has resolved, no read of this cache that begins then answers with what
 * was before; with a `remote` tier, no read of another one does for longer than the tier's bound. A load that began before
 * cannot put it back.
 */
export class Cache<K, V> implements AsyncDisposable {
  readonly name: string;
  readonly #state: CacheState<K, V>;
  readonly #updates: TierUpdates<K, V>;
  readonly #writer: Writer<K, V> | undefined;
  readonly #reader: Reader<K, V>;
  #closing: Promise<void> | undefined;

  /** @throws InvalidOptionError */
  constructor(options: CacheOptions<K, V>) {
    const state = new CacheState(options);
    const { name, random, clock, serializer, write } = state.settings;
    const updates = new TierUpdates(state);
    this.name = name;
    this.#state = state;
    this.#updates = updates;
    this.#writer = write?.open({
      ...{ name, random, clock, serializer },
      place: one => updates.place(one),
      around: (one, keep, change) => updates.around(one, keep, change),
      changed: ids => updates.changed(ids),
    });
    this.#reader = new Reader(state, this.#writer);
  }

  /** What `get` would return without waiting. Local and synchronous; counts nothing, and is no hit for the policy. */
  peek(key: K): V | undefined {
    return this.#closing === undefined ? this.#reader.peek(key) : undefined;
  }

  /**
   * The value, from the nearest tier that has it, or from the source. Rejects with LoadError or LoadTimeoutError when it
   * cannot be loaded and nothing that is kept may be served, with the reason of the signal, or with CacheClosedError.
   */
  get(key: K, options?: GetOptions): Promise<V | undefined>;
  /** The same, with a load of its own. Who comes while another load of the key is under way gets what that one gives. */
  get(key: K, load: (key: K, context: LoadContext) => Promise<V>, options?: GetOptions): Promise<V>;
  get(key: K, first?: Load<K, V> | GetOptions, second?: GetOptions): Promise<V | undefined> {
    if (this.#closing !== undefined) return Promise.reject(new CacheClosedError(this.name));
    try {
      if (first === undefined && second === undefined) return this.#reader.get(key, undefined);
      const hasLoad = typeof first === 'function' || second !== undefined;
      const load = hasLoad ? (loadRule(first, 'load') as Load<K, V> | undefined) : undefined;
      const options = hasLoad ? second : (first as GetOptions);
      if (options !== undefined) checkCallOptions('get', options);
      if (options?.signal?.aborted) return Promise.reject(options.signal.reason);
      return this.#reader.get(key, load, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Those that there are, in the order of the keys; what must be loaded is asked for together. Rejects as `get` does
   * when one of them cannot be loaded.
   */
  async getMany(keys: readonly K[], options: GetManyOptions = {}): Promise<Map<K, V>> {
    this.#assertOpen();
    checkKeys(keys);
    checkCallOptions('getMany', options);
    options.signal?.throwIfAborted();
    return this.#reader.getMany(keys, options);
  }

  /** Writes as the strategy says. Rejects with WriteError, BacklogFullError, JournalError or CacheClosedError. */
  async set(key: K, value: V, options: SetOptions = {}): Promise<void> {
    if (value === undefined) {
      const message = `the value of ${describe(key)} must not be undefined; \`delete\` it`;
      throw new InvalidOptionError('value', message);
    }
    checkCallOptions('set', options);
    await this.#write(key, value, options);
  }

  /** Deletes as the strategy says, and rejects as `set` does. */
  async delete(key: K, options: Pick<SetOptions, 'signal'> = {}): Promise<void> {
    checkCallOptions('delete', options);
    await this.#write(key, undefined, options);
  }

  /** Whatever has one of these tags is not served any more: O(1) for each tag. The source is not touched. */
  async invalidateTags(tags: readonly string[]): Promise<void> {
    this.#assertOpen();
    await this.#updates.invalidateTags(checkTags(tags));
  }

  /** Nothing is served any more of what the tiers hold. The source, and writes that are pending, are not touched. */
  async clear(): Promise<void> {
    this.#assertOpen();
    await this.#updates.clear();
  }

  /** Resolves when the source has taken the writes that were accepted before. At once, unless they are written behind. */
  async flush(): Promise<void> {
    await this.#writer?.flush?.();
  }

  /** Changes `max`, the bound of the local tier, and evicts at once what exceeds it. @throws InvalidOptionError */
  resize(max: number): void {
    this.#state.local.resize(max);
  }

  snapshot(): CacheSnapshot {
    return snapshotOf(this.#state, this.#writer, this.#closing !== undefined);
  }

  /**
   * Ends what waits for a load with CacheClosedError, lets writes settle, and writes what is pending. Rejects with
   * UnwrittenError when the source does not take it in time. May be called again, with the same result.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const { flights, writes, remote, local } = this.#state;
    flights.abortAll(new CacheClosedError(this.name));
    try {
      await writes.settled();
      await this.#writer?.close();
    } finally {
      await remote?.close();
      local.clear();
    }
  }

  async #write(key: K, value: V | undefined, options: SetOptions): Promise<void> {
    this.#assertOpen();
    const { signal, ttlMs, tags } = options;
    signal?.throwIfAborted();
    const { idOf, events } = this.#state;
    const { counters } = events;
    const write = { id: idOf(key), key, value, terms: { ttlMs, tags } };
    counters.writes++;
    try {
      await (this.#writer === undefined ? this.#updates.place(write) : this.#writer.write(write, signal));
    } catch (error) {
      counters.writeFailures++;
      throw error;
    }
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new CacheClosedError(this.name);
  }
}
