import type { BoundedMap } from '../../src/index.ts';

/** Get-or-set of each key; how many were hits. */
export function replay<K>(map: BoundedMap<K, number>, keys: Iterable<K>): number {
  let hits = 0;
  for (const key of keys) {
    if (map.get(key) === undefined) map.set(key, 1);
    else hits++;
  }
  return hits;
}
