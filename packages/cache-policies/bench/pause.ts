import { collectGarbage } from '@workspace/bench';
import type { Key, Make } from './peers.ts';

const runs = 3;

/**
 * The longest `set`, in milliseconds, while a cache grows to hold all the keys. It grows anew in each run, at the same keys,
 * and the least time of each `set` counts: so what the machine and the collection of garbage do in between does not.
 */
export function longestSetMs(make: Make, keys: readonly Key[]): number {
  const least = new Float64Array(keys.length).fill(Infinity);
  for (let run = 0; run < runs; run++) {
    collectGarbage();
    const map = make(keys.length);
    for (let i = 0; i < keys.length; i++) {
      const start = performance.now();
      map.set(keys[i]!, i);
      least[i] = Math.min(least[i]!, performance.now() - start);
    }
  }
  return least.reduce((longest, ms) => Math.max(longest, ms), 0);
}
