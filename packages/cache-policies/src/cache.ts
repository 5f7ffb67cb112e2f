import { describe, functionOf, InvalidOptionError, withDeadline } from '@ashlar/core';
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
 * Values by key: in this process (L1), bounded by an eviction policy; optionally in a tier that processes share (L2); and
 * from a source, which is called once however many callers wait (stampede protection).
 *
 * After `set`, `delete`, `invalidateTags` or `clear` has resolved, no read of this cache that begins afterwards returns an
 * older value. With a `remote` tier, other caches return an older value for at most the tier's bound. A load that began
 * before the change cannot put an older value back.
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
      place: (one, signal) => updates.place(one, signal),
      around: (one, keep, change, signal) => updates.around(one, keep, change, signal),
      changed: ids => updates.changed(ids),
    });
    this.#reader = new Reader(state, this.#writer);
  }

  /** What `get` would return without waiting. Local and synchronous; it counts nothing and is not a hit for the policy. */
  peek(key: K): V | undefined {
    return this.#closing === undefined ? this.#reader.peek(key) : undefined;
  }

  /**
   * The value, from the nearest tier that has it, or from the source. Rejects with LoadError or LoadTimeoutError when the
   * load fails and no stale value may be served, with the reason of the signal, with CacheClosedError or InvalidOptionError.
   */
  get(key: K, options?: GetOptions): Promise<V | undefined>;
  /** The same, with a load of its own. While another load of the key is under way, the call gets the result of that one. */
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
   * The values that exist, in the order of the keys; missing keys are loaded together. Rejects as `get` does when one of
   * them cannot be loaded.
   */
  async getMany(keys: readonly K[], options: GetManyOptions = {}): Promise<Map<K, V>> {
    this.#assertOpen();
    checkKeys(keys);
    checkCallOptions('getMany', options);
    options.signal?.throwIfAborted();
    return this.#reader.getMany(keys, options);
  }

  /** Writes as the write strategy says. Rejects with WriteError, BacklogFullError, JournalError, CacheClosedError or InvalidOptionError. */
  async set(key: K, value: V, options: SetOptions = {}): Promise<void> {
    if (value === undefined) {
      const message = `the value of ${describe(key)} must not be undefined; \`delete\` it`;
      throw new InvalidOptionError('value', message);
    }
    checkCallOptions('set', options);
    await this.#write(key, value, options);
  }

  /** Deletes as the write strategy says, and rejects as `set` does. */
  async delete(key: K, options: Pick<SetOptions, 'signal'> = {}): Promise<void> {
    checkCallOptions('delete', options);
    await this.#write(key, undefined, options);
  }

  /** Invalidates every value with one of these tags: O(1) for each tag. The source is not touched. */
  async invalidateTags(tags: readonly string[]): Promise<void> {
    this.#assertOpen();
    const checked = checkTags(tags);
    this.#state.events.counters.invalidations += checked.length;
    await this.#updates.invalidateTags(checked);
  }

  /** Invalidates every value of the tiers. The source and pending writes are not touched. */
  async clear(): Promise<void> {
    this.#assertOpen();
    await this.#updates.clear();
  }

  /** Resolves when the source has taken all writes that were accepted before: at once, unless they are written behind. */
  async flush(): Promise<void> {
    await this.#writer?.flush?.();
  }

  /** Changes `max`, the bound of the local tier, and evicts at once what exceeds it. @throws InvalidOptionError */
  resize(max: number): void {
    this.#state.local.resize(max);
  }

  /** Counters and state, JSON-safe, at any time. */
  snapshot(): CacheSnapshot {
    return snapshotOf(this.#state, this.#writer, this.#closing !== undefined);
  }

  /**
   * Rejects the calls that wait for a load with CacheClosedError, lets writes settle, and writes what is pending. Rejects
   * with UnwrittenError when the source does not take it in time. It may be called again, with the same result.
   *
   * Ends in time: writes that have not settled after `closeTimeoutMs` reject with a WriteError, 'Unknown'; then the write
   * strategy has its own time, and the shared tier `closeTimeoutMs` again. Invalidations that are owed to it are sent once
   * more; those that it does not take then are given up, and reach nobody.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const { closing, ending, flights, writes, remote, local } = this.#state;
    const closed = new CacheClosedError(this.name);
    closing.abort(closed);
    flights.abortAll(closed);
    try {
      await this.#inTime(() => Promise.all([flights.ended(), writes.settled()]));
      ending.abort(closed);
      await this.#writer?.close();
    } finally {
      await this.#inTime(signal => remote?.close(signal));
      local.clear();
    }
  }

  /** Resolves when the work has, or after `closeTimeoutMs`, when its signal aborts. */
  async #inTime(work: (signal: AbortSignal) => Promise<unknown> | undefined): Promise<void> {
    const { settings, callerClock: clock } = this.#state;
    const late = new CacheClosedError(this.name, 'Unknown');
    const options = { timeoutMs: settings.closeTimeoutMs, clock, late: () => late };
    await withDeadline(options, work).catch(error => {
      if (error !== late) throw error;
    });
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
      await (this.#writer === undefined
        ? this.#updates.place(write, signal)
        : this.#writer.write(write, signal));
    } catch (error) {
      counters.writeFailures++;
      throw error;
    }
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new CacheClosedError(this.name);
  }
}
