import {
  arc,
  auto,
  type Bound,
  clock,
  type Eviction,
  fifo,
  lfu,
  lirs,
  lru,
  s3fifo,
  sieve,
  twoQueue,
  wTinyLfu,
} from '@ashlar/cache-policies';
import { seededRandom } from '@ashlar/core';

export type EvictionName =
  | 'wTinyLfu'
  | 'lru'
  | 's3fifo'
  | 'sieve'
  | 'lirs'
  | 'arc'
  | 'twoQueue'
  | 'clock'
  | 'lfu'
  | 'fifo'
  | 'auto';

/** What a cache that is full may give up. */
const evictions: Readonly<Record<EvictionName, Eviction>> = {
  wTinyLfu,
  lru,
  s3fifo,
  sieve,
  lirs,
  arc,
  twoQueue,
  clock,
  lfu,
  fifo,
  auto,
};

export const evictionNames: readonly EvictionName[] = Object.keys(evictions) as EvictionName[];

/** Those that every report compares, whatever the replicas use. */
export const comparedEvictions: readonly EvictionName[] = ['wTinyLfu', 'lru'];

/** The policy; one that needs luck has the same in every process, so that what it does can be replayed. */
export function evictionOf(name: EvictionName): Eviction {
  if (name !== 'wTinyLfu' && name !== 'auto') return evictions[name];
  const policy = { wTinyLfu, auto }[name];
  return <K, V>(bound: Bound<K, V>) => policy({ ...bound, random: seededRandom(1) });
}
