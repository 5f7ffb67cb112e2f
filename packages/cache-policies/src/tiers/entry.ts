import type { TierEntry } from './remote-tier.ts';

/** What the local tier (L1) holds under a key. Times are the cache's clock's, in milliseconds. */
export interface Entry<K, V> extends Origin {
  readonly key: K;
  /** `undefined`: the source has nothing there. */
  readonly value: V | undefined;
  /** `Infinity`: for ever. */
  readonly freshUntil: number;
  /** How long its load took. */
  readonly costMs: number;
  readonly tags: readonly string[];
  /** A load failed, or another process is loading: no refresh begins before. */
  retryAt: number;
  /** The observer is notified of each hit; else hits are only counted. Set as it is put into the local tier. */
  isFollowed: boolean;
}

/** When a value was asked for: what is invalidated after that concerns it. */
export interface Origin {
  /** By the cache's clock. What the value says was so then, or later. */
  readonly at: number;
  /** The number of invalidations of tags that there had been. */
  readonly stamp: number;
}

/** What a call says of the value that it brings. */
export interface Terms {
  readonly ttlMs?: number | undefined;
  readonly tags?: readonly string[] | undefined;
}

/** What the shared tier (L2) holds under a key, with its value decoded. */
export interface SharedEntry<V> extends Omit<TierEntry, 'value'> {
  readonly value: V | undefined;
}
