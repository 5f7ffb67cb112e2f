import type { Clock, Random } from '@ashlar/core';
import type { AccessObserver } from './advisor/access-observer.ts';
import type { Eviction } from './bounded-map.ts';
import type { RemoteTier } from './tiers/remote-tier.ts';
import type { Serializer } from './tiers/serializer.ts';
import type { WriteStrategy } from './writes/write-strategy.ts';

export interface LoadContext {
  /** Aborts when nobody waits for the load any more, when it takes longer than `timeoutMs`, or when the cache is closed. */
  readonly signal: AbortSignal;
}

/** Asks the source for one key; `undefined` says that it has nothing there. */
export type Load<K, V> = (key: K, context: LoadContext) => Promise<V | undefined>;

/** Asks the source for many keys; a key that is not in the answer is one that the source has nothing for. */
export type LoadMany<K, V> = (keys: readonly K[], context: LoadContext) => Promise<Iterable<readonly [K, V]>>;

export interface RefreshAhead {
  /** A hit in the last so many milliseconds of freshness begins a refresh. */
  readonly lastMs?: number;
  /**
   * XFetch (Vattani, Chierichetti, Lowenstein 2015): a hit begins a refresh when `-ln(random) · cost · beta` reaches beyond
   * the end of freshness, where `cost` is how long the load took: rarely long before, more surely the nearer, so that
   * many processes do not refresh at once. 1 is the paper's; more is earlier.
   */
  readonly beta?: number;
}

export interface CacheOptions<K, V> {
  /** For diagnostics, errors and snapshots. `cache` by default. */
  readonly name?: string;
  /** The most entries in this process, or the most weight with `weigh`. */
  readonly max: number;
  /** What goes when it is full. `wTinyLfu` by default. */
  readonly eviction?: Eviction;
  /** The weight of an entry, an integer of at least 1: bytes, say. */
  readonly weigh?: (key: K, value: V) => number;
  /** A tier that other caches share. */
  readonly remote?: RemoteTier;
  /** Makes strings of keys, the same for equal ones. Needed with `remote` unless keys are strings, numbers or bigints. */
  readonly keyOf?: (key: K) => string;
  /** How values become bytes for `remote`. JSON by default. */
  readonly serializer?: Serializer<V>;

  readonly load?: Load<K, V>;
  /** For `getMany`; without it, `load` is called for each. */
  readonly loadMany?: LoadMany<K, V>;
  /** A load that takes longer rejects with LoadTimeoutError and is aborted. */
  readonly timeoutMs?: number;
  /** A load that takes longer goes on, while what `staleIfErrorMs` keeps is served. */
  readonly softTimeoutMs?: number;

  /** How `set` and `delete` reach the source. Without it, they concern the cache alone. */
  readonly write?: WriteStrategy<K, V>;

  /** How long a value is fresh. For ever by default: until it is written, invalidated or evicted. */
  readonly ttlMs?: number | ((key: K, value: V) => number);
  /** `ttlMs` is shortened by up to this share, at random, so that what was loaded together does not end together. 0 by default. */
  readonly jitter?: number;
  /** How long beyond `ttlMs` a stale value is served at once, while it is refreshed. 0 by default. */
  readonly staleMs?: number;
  /** How long beyond `ttlMs` a stale value is served when the load fails, or is slow. 0 by default. */
  readonly staleIfErrorMs?: number;
  /** After a failed load, how long what is kept is served without another one. 1 000 by default. */
  readonly errorBackoffMs?: number;
  /** How long it is remembered that the source has nothing. 0 by default: it is asked every time. */
  readonly negativeTtlMs?: number;
  readonly refreshAhead?: RefreshAhead;
  readonly tags?: (key: K, value: V) => readonly string[];

  /** How long a value from `remote` may be served from this process before it is read again. No limit by default. */
  readonly localTtlMs?: number;
  /**
   * What local values are worth while `remote` is away, beyond what is confirmed or after they were loaded: nothing, by
   * default, or so many milliseconds.
   */
  readonly onDisconnect?: 'bypass' | { readonly serveMs: number };
  /** How long one process has the right to load a key or to write it. 10 000 by default; let it be longer than a load. */
  readonly leaseMs?: number;
  /** How long a caller waits for another process that loads or writes the key before it loads for itself. 2 000 by default. */
  readonly leaseWaitMs?: number;

  /** Sees every access, synchronously. */
  readonly observer?: AccessObserver<K>;
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface GetOptions {
  /** The call rejects with its reason; the load goes on for others who wait. */
  readonly signal?: AbortSignal;
  /** For what this call loads. */
  readonly ttlMs?: number;
  /** For what this call loads, besides those of the option. */
  readonly tags?: readonly string[];
}

export interface GetManyOptions {
  readonly signal?: AbortSignal;
}

export interface SetOptions {
  readonly ttlMs?: number;
  readonly tags?: readonly string[];
  /** Ends the waiting for a place among pending writes. */
  readonly signal?: AbortSignal;
}
