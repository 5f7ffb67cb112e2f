import type { BoundedMap, Eviction } from '@ashlar/cache-policies';

/**
 * How many requests would have been hits had the replicas' caches been bare maps of that policy and size, in the order
 * in which the requests were sent, each asked of the replica that answered it.
 */
export function hitsOf(
  eviction: Eviction,
  max: number,
  keys: readonly string[],
  answeredBy: readonly (string | undefined)[],
): number {
  const caches = new Map<string, BoundedMap<string, true>>();
  let hits = 0;
  for (const [at, key] of keys.entries()) {
    const replica = answeredBy[at];
    if (replica === undefined) continue;
    const cache = caches.get(replica) ?? eviction<string, true>({ max });
    caches.set(replica, cache);
    if (cache.get(key) !== undefined) hits++;
    else cache.set(key, true);
  }
  return hits;
}
