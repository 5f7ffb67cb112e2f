import type { TierEntry } from './remote-tier.ts';

/** An entry of the local tier (L1). Times are the cache's clock's, in milliseconds. */
export interface Entry<K, V> extends Origin {
  readonly key: K;
  /** `undefined`: the source has nothing for the key. */
  readonly value: V | undefined;
  /** `Infinity`: for ever. */
  readonly freshUntil: number;
  /** How long its load took. */
  readonly costMs: number;
  readonly tags: readonly string[];
  /** No refresh begins before: a load failed, or another process is loading. */
  retryAt: number;
  /** Whether the observer is notified of each hit; else hits are only counted. Set when the local tier stores it. */
  isFollowed: boolean;
}

/** When a value was requested: later invalidations apply to it. */
export interface Origin {
  /** By the cache's clock. The source had the value then, or later. */
  readonly at: number;
  /** The number of tag invalidations until then. */
  readonly stamp: number;
}

/** What a call specifies for the value that it loads or writes. */
export interface Terms {
  readonly ttlMs?: number | undefined;
  readonly tags?: readonly string[] | undefined;
}

/** An entry of the shared tier (L2), with its value decoded. */
export interface SharedEntry<V> extends Omit<TierEntry, 'value'> {
  readonly value: V | undefined;
}
