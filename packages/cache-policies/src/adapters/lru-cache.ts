import { describe, InvalidOptionError } from '@ashlar/core';
import type { BoundedMap, EvictionReason } from '../bounded-map.ts';
import {
  type LRUFetchOptions,
  type LRUGetOptions,
  type LRUPeekOptions,
  type LRUSetOptions,
  readCall,
} from './lru-cache/calls.ts';
import { Fetches } from './lru-cache/fetches.ts';
import {
  type DisposeReason,
  type LRUCacheOptions,
  type LRUCacheSettings,
  readLRUOptions,
} from './lru-cache/options.ts';

export type { LRUFetchOptions, LRUGetOptions, LRUPeekOptions, LRUSetOptions } from './lru-cache/calls.ts';
export type {
  DisposeReason,
  FetchMethod,
  FetchMethodOptions,
  LRUCacheOptions,
} from './lru-cache/options.ts';

interface Entry<V> {
  readonly value: V;
  readonly ttl: number;
  startedAt: number;
  /** The weight that `set` was given. */
  readonly size: number | undefined;
}

const reasons: Readonly<Record<EvictionReason, DisposeReason>> = {
  capacity: 'evict',
  replaced: 'set',
  deleted: 'delete',
};

/**
 * The calls of lru-cache 11 that most programs use, over an eviction policy of this package. It refuses the options of
 * lru-cache that it does not honor, each with what to do instead. Iteration has no promised order.
 */
export class LRUCache<K extends NonNullable<unknown>, V extends NonNullable<unknown>, C = unknown> {
  readonly #options: LRUCacheSettings<K, V, C>;
  readonly #map: BoundedMap<K, Entry<V>>;
  readonly #fetches = new Fetches<K, V>();
  readonly #perf: { now(): number };
  #expiring = false;

  /** @throws InvalidOptionError */
  constructor(options: LRUCacheOptions<K, V, C>) {
    const settings = readLRUOptions(options);
    const { eviction, max, maxSize, sizeCalculation, dispose, perf = performance } = settings;
    this.#options = settings;
    this.#perf = perf;
    this.#map = eviction<K, Entry<V>>({
      max: (max ?? maxSize)!,
      ...(maxSize === undefined
        ? {}
        : { weigh: (key, { value, size }) => checkSize(size ?? sizeCalculation?.(value, key), key) }),
      ...(dispose && { onEvict: (key, entry, reason) => this.#left(key, entry, reason) }),
    });
  }

  /** How many entries there are, with those that have expired and were not read since. */
  get size(): number {
    return this.#map.size;
  }

  get(key: K, options?: LRUGetOptions): V | undefined {
    const { allowStale, updateAgeOnGet } =
      options === undefined ? this.#options : { ...this.#options, ...given(readCall('get', options)) };
    const entry = this.#map.get(key);
    if (entry === undefined) return undefined;
    if (this.#isStale(entry)) {
      this.#expire(key);
      return allowStale ? entry.value : undefined;
    }
    if (updateAgeOnGet) entry.startedAt = this.#perf.now();
    return entry.value;
  }

  /** `undefined` deletes. */
  set(key: K, value: V | undefined, options?: Readonly<LRUSetOptions>): this {
    const { ttl = this.#options.ttl, size } = readCall('set', options);
    if (value === undefined) {
      this.delete(key);
      return this;
    }
    this.#fetches.abort(key, new Error('replaced'));
    this.#map.set(key, { value, ttl, startedAt: this.#perf.now(), size });
    return this;
  }

  has(key: K, options?: Readonly<Record<string, never>>): boolean {
    readCall('has', options);
    const entry = this.#map.peek(key);
    return entry !== undefined && !this.#isStale(entry);
  }

  peek(key: K, options?: LRUPeekOptions): V | undefined {
    const { allowStale = this.#options.allowStale } = readCall('peek', options);
    const entry = this.#map.peek(key);
    return entry === undefined || (this.#isStale(entry) && !allowStale) ? undefined : entry.value;
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

  /** Deletes expired entries; whether there were any. */
  purgeStale(): boolean {
    const stale = [...this.#map].filter(([, entry]) => this.#isStale(entry));
    for (const [key] of stale) this.#expire(key);
    return stale.length > 0;
  }

  /** Milliseconds: 0 or less for an entry that is absent or has expired, Infinity for one without a `ttl`. */
  getRemainingTTL(key: K): number {
    const entry = this.#map.peek(key);
    if (entry === undefined) return 0;
    return entry.ttl === 0 ? Number.POSITIVE_INFINITY : entry.ttl - (this.#perf.now() - entry.startedAt);
  }

  /**
   * The value, or what `fetchMethod` returns: called once, however many wait. A failure deletes the key. A fetch whose key
   * is set or deleted meanwhile rejects with that as its reason, and is not stored.
   */
  async fetch(key: K, options?: LRUFetchOptions<C>): Promise<V | undefined> {
    const { signal, forceRefresh, context, ttl, size, ...own } = readCall('fetch', options);
    const reading = given(own);
    const { fetchMethod, allowStale } = { ...this.#options, ...reading };
    if (fetchMethod === undefined) return this.get(key, reading);
    const stale = this.#map.peek(key);
    const isFresh = stale !== undefined && !this.#isStale(stale);
    if (isFresh && !forceRefresh) return this.get(key, reading);
    const terms: LRUSetOptions = { ttl: ttl ?? this.#options.ttl, size };
    const fetching =
      this.#fetches.get(key) ??
      this.#fetches.begin(
        key,
        signal,
        inside => fetchMethod(key, stale?.value, { signal: inside, options: terms, context: context as C }),
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

  /** A fetch under way goes on, as it brings a newer value. */
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

/** In the words of lru-cache, which has no `weigh`. @throws InvalidOptionError */
function checkSize(size: number | undefined, key: unknown): number {
  if (Number.isSafeInteger(size) && size! >= 1) return size!;
  const help = 'with `maxSize`, `sizeCalculation` returns it or the call gives it';
  const text = `the \`size\` of ${describe(key)} must be an integer of at least 1, got ${describe(size)}; ${help}`;
  throw new InvalidOptionError('size', text);
}

/** Without what is `undefined`, which stands for absent. */
function given<T extends object>(options: T): { [Name in keyof T]?: NonNullable<T[Name]> } {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Name in keyof T]?: NonNullable<T[Name]> };
}
