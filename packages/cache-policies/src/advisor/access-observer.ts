/** Observes the accesses of a cache, to judge its size and policy. Called synchronously, on the path of the reads. */
export interface AccessObserver<K> {
  /** Called for every miss, and for each hit of a key that it follows. `id` is the key as the local tier has it. */
  accessed(id: unknown, key: K, hit: boolean): void;
  /**
   * Whether `accessed` is called for each hit of this key. The local tier calls it when it stores a value and keeps the
   * result beside the value, so a hit of a key that is not followed costs one test. An observer that follows fewer keys
   * later must ignore the others; a key that it follows later counts once it is stored again. Default: all keys.
   */
  follows?(id: unknown, key: K): boolean;
  /** The cache adds the hits of keys that are not followed here. The observer may set it back to 0. */
  readonly unfollowed?: HitCount;
  /** Called when the eviction policy removes a key. */
  evicted?(key: K): void;
  /** Becomes the `observer` of the cache's snapshot. JSON-safe. */
  snapshot?(): object;
}

export interface HitCount {
  hits: number;
}
