import { seededRandom } from '@ashlar/core';
import { arc, auto, type Bound, type Eviction, fifo, lirs, sieve, wTinyLfu } from '../src/index.ts';

/** Every policy of this package by name; a new one joins the list and is tested. */
export const policies: Readonly<Record<string, Eviction>> = {
  arc,
  auto: <K, V>(bound: Bound<K, V>) => auto({ ...bound, random: seededRandom(1) }),
  fifo,
  lirs,
  sieve,
  wTinyLfu: <K, V>(bound: Bound<K, V>) => wTinyLfu({ ...bound, random: seededRandom(1) }),
};
