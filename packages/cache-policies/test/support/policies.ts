import { seededRandom } from '@ashlar/core';
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
} from '../../src/index.ts';

/** Every policy of this package by name; a new one joins the list and is tested. */
export const policies: Readonly<Record<string, Eviction>> = {
  arc,
  auto: <K, V>(bound: Bound<K, V>) => auto({ ...bound, random: seededRandom(1) }),
  clock,
  fifo,
  lfu,
  'lfu without ageing': bound => lfu({ ...bound, ageAfter: false }),
  lirs,
  lru,
  s3fifo,
  's3fifo that promotes after one hit': bound => s3fifo({ ...bound, promoteAfter: 1 }),
  sieve,
  twoQueue,
  wTinyLfu: <K, V>(bound: Bound<K, V>) => wTinyLfu({ ...bound, random: seededRandom(1) }),
};
