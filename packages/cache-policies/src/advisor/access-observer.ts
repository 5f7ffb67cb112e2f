/** Sees what is asked of a cache, to judge whether it is too small or has the wrong policy. Synchronous, on the path of the reads. */
export interface AccessObserver<K> {
  /** Told of every miss, and of each hit of a key that it follows. `id` is the key as the local tier has it. */
  accessed(id: unknown, key: K, hit: boolean): void;
  /**
   * Whether it is to be told of each hit of this key. Asked when a value is put into the local tier, which keeps the answer
   * beside the value: a hit of a key that is not followed costs one test. Who follows fewer keys later has to pass over the
   * others; one that is followed later is so once it is stored again. Without it all keys are followed.
   */
  follows?(id: unknown, key: K): boolean;
  /** Hits of keys that it does not follow are added to this. It may be set back to 0. */
  readonly unfollowed?: HitCount;
  evicted?(key: K): void;
  /** Becomes the `observer` of the cache's snapshot. JSON-safe. */
  snapshot?(): object;
}

export interface HitCount {
  hits: number;
}
