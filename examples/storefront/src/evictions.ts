import { type Bound, type Eviction, type EvictionName, evictions } from '@ashlar/cache-policies';
import { seededRandom } from '@ashlar/core';

export type { EvictionName } from '@ashlar/cache-policies';

/** What a cache that is full may give up. */
export const evictionNames: readonly EvictionName[] = Object.keys(evictions) as EvictionName[];

/** Those that every report compares, whatever the replicas use. */
export const comparedEvictions: readonly EvictionName[] = ['wTinyLfu', 'lru'];

/** The policy; its randomness is the same in every process, so that what it does can be replayed. */
export function evictionOf(name: EvictionName): Eviction {
  return <K, V>(bound: Bound<K, V>) => evictions[name]({ ...bound, random: seededRandom(1) });
}
