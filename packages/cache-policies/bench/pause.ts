import { collectGarbage } from './memory.ts';
import type { Key, Make } from './peers.ts';

/** The longest `set`, in milliseconds, while a cache grows to hold all the keys: the least of three runs. */
export function longestSetMs(make: Make, keys: readonly Key[]): number {
  return Math.min(...[1, 2, 3].map(() => growOnce(make, keys)));
}

function growOnce(make: Make, keys: readonly Key[]): number {
  collectGarbage();
  const map = make(keys.length);
  let longest = 0;
  for (let i = 0; i < keys.length; i++) {
    const start = performance.now();
    map.set(keys[i]!, i);
    const took = performance.now() - start;
    // The first ones wait for the compiler
    if (took > longest && i > 10_000) longest = took;
  }
  return longest;
}
