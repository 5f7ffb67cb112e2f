/** Sees what is asked of a cache, to judge whether it is too small or has the wrong policy. Synchronous, on the path of every read. */
export interface AccessObserver<K> {
  /** The key as the local tier has it. */
  accessed(id: unknown, key: K, hit: boolean): void;
  evicted?(key: K): void;
  /** Becomes the `observer` of the cache's snapshot. JSON-safe. */
  snapshot?(): object;
}
