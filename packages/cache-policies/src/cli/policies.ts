import { seededRandom } from '@ashlar/core';
import type { Bound, Eviction } from '../bounded-map.ts';
import { arc } from '../policies/arc.ts';
import { auto } from '../policies/auto/auto.ts';
import { clock } from '../policies/clock.ts';
import { fifo } from '../policies/fifo.ts';
import { lfu } from '../policies/lfu.ts';
import { lirs } from '../policies/lirs.ts';
import { lru } from '../policies/lru.ts';
import { s3fifo } from '../policies/s3fifo.ts';
import { sieve } from '../policies/sieve.ts';
import { twoQueue } from '../policies/two-queue.ts';
import { wTinyLfu } from '../policies/w-tiny-lfu/w-tiny-lfu.ts';

/** Every policy that can be a cache's; those with luck have the same at every run. */
export const evictions: Readonly<Record<string, Eviction>> = {
  arc,
  auto: <K, V>(bound: Bound<K, V>) => auto({ ...bound, random: seededRandom(1) }),
  clock,
  fifo,
  lfu,
  lirs,
  lru,
  s3fifo,
  sieve,
  twoQueue,
  wTinyLfu: <K, V>(bound: Bound<K, V>) => wTinyLfu({ ...bound, random: seededRandom(1) }),
};

/** Belady's optimum, which knows the future and so is no cache's. */
export const optimum = 'opt';
