import { InvalidOptionError } from '@ashlar/core';
import type { BoundedMap, EvictionReason } from '../bounded-map.ts';
import { wTinyLfu } from '../policies/w-tiny-lfu/w-tiny-lfu.ts';
import { Fetches } from './lru-cache/fetches.ts';
import { checkOptions, type DisposeReason, type LRUCacheOptions } from './lru-cache/options.ts';

export type { DisposeReason, FetchMethodOptions, LRUCacheOptions } from './lru-cache/options.ts';

interface Entry<V> {
  readonly value: V;
  readonly ttl: number;
  startedAt: number;
  /** What `set` was told of its weight. */
  readonly size: number | undefined;
}

const reasons: Readonly<Record<EvictionReason, DisposeReason>> = {
  capacity: 'evict',
  replaced: 'set',
  deleted: 'delete',
};

/**
 * The calls of lru-cache 11 that most programs use, over an eviction policy of this package. Options of lru-cache that are
 * not honored are refused, each with what to do instead. Iteration is in no promised order.
 */
export class LRUCache<K extends NonNullable<unknown>, V extends NonNullable<unknown>, C = unknown> {
  readonly #options: LRUCacheOptions<K, V, C>;
  readonly #map: BoundedMap<K, Entry<V>>;
  readonly #fetches = new Fetches<K, V>();
  readonly #perf: { now(): number };
  #expiring = false;

  /** @throws InvalidOptionError */
  constructor(options: LRUCacheOptions<K, V, C>) {
    checkOptions(options);
    const { eviction = wTinyLfu, max, maxSize, sizeCalculation, perf = performance } = options;
    this.#options = options;
    this.#perf = perf;
    this.#map = eviction<K, Entry<V>>({
      max: (max ?? maxSize)!,
      ...(maxSize === undefined
        ? {}
        : { weigh: (key, { value, size }) => size ?? sizeCalculation?.(value, key) ?? Number.NaN }),
      ...(options.dispose && { onEvict: (key, entry, reason) => this.#left(key, entry, reason) }),
    });
  }

  /** Entries, those included that have expired and were not asked for since. */
  get size(): number {
    return this.#map.size;
  }

  get(key: K): V | undefined {
    const entry = this.#map.get(key);
    if (entry === undefined) return undefined;
    if (this.#isStale(entry)) {
      this.#expire(key);
      return this.#options.allowStale ? entry.value : undefined;
    }
    if (this.#options.updateAgeOnGet) entry.startedAt = this.#perf.now();
    return entry.value;
  }

  /** `undefined` deletes. `size` is for `maxSize` without `sizeCalculation`. */
  set(key: K, value: V | undefined, options: { readonly ttl?: number; readonly size?: number } = {}): this {
    if (value === undefined) {
      this.delete(key);
      return this;
    }
    for (const name of Object.keys(options)) {
      if (name === 'ttl' || name === 'size') continue;
      throw new InvalidOptionError(name, `\`set\` takes \`ttl\` and \`size\`, not \`${name}\``);
    }
    const { ttl = this.#options.ttl ?? 0, size } = options;
    this.#fetches.abort(key, new Error('replaced'));
    this.#map.set(key, { value, ttl, startedAt: this.#perf.now(), size });
    return this;
  }

  has(key: K): boolean {
    const entry = this.#map.peek(key);
    return entry !== undefined && !this.#isStale(entry);
  }

  peek(key: K): V | undefined {
    const entry = this.#map.peek(key);
    return entry === undefined || (this.#isStale(entry) && !this.#options.allowStale)
      ? undefined
      : entry.value;
  }

  /** Whether it was there, or was being fetched. */
  delete(key: K): boolean {
    const wasFetching = this.#fetches.abort(key, new Error('deleted'));
    return this.#map.delete(key) || wasFetching;
  }

  clear(): void {
    this.#fetches.abortAll(new Error('deleted'));
    this.#map.clear();
  }

  /** Deletes what has expired; whether there was any. */
  purgeStale(): boolean {
    const stale = [...this.#map].filter(([, entry]) => this.#isStale(entry));
    for (const [key] of stale) this.#expire(key);
    return stale.length > 0;
  }

  /** Milliseconds: 0 or less for what is not there or has expired, Infinity without a time. */
  getRemainingTTL(key: K): number {
    const entry = this.#map.peek(key);
    if (entry === undefined) return 0;
    return entry.ttl === 0 ? Number.POSITIVE_INFINITY : entry.ttl - (this.#perf.now() - entry.startedAt);
  }

  /**
   * The value, else what `fetchMethod` gives: once, however many wait. A failure deletes the key. A fetch whose key is set
   * or deleted meanwhile rejects with that as its reason, and is not stored.
   */
  async fetch(
    key: K,
    options: {
      readonly signal?: AbortSignal;
      readonly forceRefresh?: boolean;
      readonly context?: C;
      readonly ttl?: number;
      readonly size?: number;
    } = {},
  ): Promise<V | undefined> {
    const { signal, forceRefresh = false, context, ...terms } = options;
    const { fetchMethod, allowStale = false } = this.#options;
    if (fetchMethod === undefined) return this.get(key);
    const stale = this.#map.peek(key);
    const isFresh = stale !== undefined && !this.#isStale(stale);
    if (isFresh && !forceRefresh) return this.get(key);
    const fetching =
      this.#fetches.get(key) ??
      this.#fetches.begin(
        key,
        signal,
        inside => fetchMethod(key, stale?.value, { signal: inside, context: context as C }),
        outcome => this.set(key, 'value' in outcome ? outcome.value : undefined, terms),
      );
    return allowStale && stale !== undefined && !isFresh ? stale.value : fetching;
  }

  *entries(): Generator<[K, V]> {
    for (const [key, entry] of this.#map) {
      if (this.#options.allowStale || !this.#isStale(entry)) yield [key, entry.value];
    }
  }

  *keys(): Generator<K> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): Generator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): Generator<[K, V]> {
    return this.entries();
  }

  forEach(callback: (value: V, key: K, cache: this) => void): void {
    for (const [key, value] of this.entries()) callback(value, key, this);
  }

  #isStale({ ttl, startedAt }: Entry<V>): boolean {
    return ttl !== 0 && this.#perf.now() - startedAt > ttl;
  }

  /** The fetch that may be under way goes on: it is for a newer value. */
  #expire(key: K): void {
    this.#expiring = true;
    try {
      this.#map.delete(key);
    } finally {
      this.#expiring = false;
    }
  }

  #left(key: K, { value }: Entry<V>, reason: EvictionReason): void {
    if (reason === 'replaced' && this.#map.peek(key)?.value === value) return;
    this.#options.dispose!(value, key, reason === 'deleted' && this.#expiring ? 'expire' : reasons[reason]);
  }
}
