import { seededRandom } from '@ashlar/core';
import type { Bound } from '../../bounded-map.ts';
import type { PolicyMap } from '../../slots/policy-map.ts';
import { Lirs } from '../lirs.ts';
import { TwoQueue } from '../two-queue.ts';
import { WTinyLfu } from '../w-tiny-lfu/w-tiny-lfu.ts';
import { Recency } from './recency.ts';

export interface Candidate {
  readonly name: string;
  /** `seed` decides what is left to luck. */
  make<K, V>(bound: Bound<K, V>, seed: number): PolicyMap<K, V>;
}

/**
 * The first one runs until another proves better. LIRS is that one because it is slow to take in what is new: what it has
 * kept is of use to the others, while a policy that has let go of what was there cannot get it back.
 */
export const candidates: readonly Candidate[] = [
  { name: 'lirs', make: bound => new Lirs(bound) },
  {
    name: 'wTinyLfu',
    make: (bound, seed) => new WTinyLfu({ ...bound, random: seededRandom(seed) }),
  },
  { name: 'lru', make: bound => new Recency(bound) },
  { name: 'twoQueue', make: bound => new TwoQueue(bound) },
];
