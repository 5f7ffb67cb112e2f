import { seededRandom } from '@ashlar/core';
import { type Bound, type Eviction, evictions, lfu, s3fifo } from '../../src/index.ts';

function seeded(eviction: Eviction): Eviction {
  return <K, V>(bound: Bound<K, V>) => eviction({ ...bound, random: seededRandom(1) });
}

/** Every policy of this package by name, and some with other options than their defaults. */
export const policies: Readonly<Record<string, Eviction>> = {
  ...Object.fromEntries(Object.entries(evictions).map(([name, eviction]) => [name, seeded(eviction)])),
  'lfu without ageing': bound => lfu({ ...bound, ageAfter: false }),
  's3fifo that promotes after one hit': bound => s3fifo({ ...bound, promoteAfter: 1 }),
};
