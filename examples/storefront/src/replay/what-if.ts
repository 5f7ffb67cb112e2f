import type { BoundedMap, Eviction } from '@ashlar/cache-policies';
import type { Replay } from './replay.ts';

/**
 * How many requests would have been hits had the replicas' caches been bare maps of that policy and size, filled by the
 * same warm-up, in the order in which the requests were sent, each asked of the replica that answered it.
 */
export function hitsOf(
  eviction: Eviction,
  max: number,
  { keys, warmUp, answeredBy }: Pick<Replay, 'keys' | 'warmUp' | 'answeredBy'>,
): number {
  const caches = new Map<string, BoundedMap<string, true>>();
  const isHit = (replica: string, key: string): boolean => {
    const cache = caches.get(replica) ?? eviction<string, true>({ max });
    caches.set(replica, cache);
    if (cache.get(key) !== undefined) return true;
    cache.set(key, true);
    return false;
  };
  for (const [replica, before] of warmUp) for (const key of before) isHit(replica, key);
  let hits = 0;
  for (const [at, key] of keys.entries()) {
    const replica = answeredBy[at];
    if (replica !== undefined && isHit(replica, key)) hits++;
  }
  return hits;
}
