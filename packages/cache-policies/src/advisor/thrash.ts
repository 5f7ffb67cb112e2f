import type { MissRatioCurve } from '../sampling/miss-ratio-curve.ts';

/** Evictions are remembered for so many times the cache's size: a key that returns later does not show its size. */
const reach = 10;
/** It starts to thrash when misses of evicted keys exceed the hits, and stops when they are half as many as the hits. */
const begins = 1;
const ends = 0.5;
/** The curve resolves sizes 3 % apart: a size that is surely enough is a little larger than one that may be. */
const certain = 0.96;

export interface ThrashState {
  readonly thrashing: boolean;
  /** Requests for keys that had been evicted, for each hit. */
  readonly ghostsPerHit: number;
  /** The size that would end it, or the present one if there is nothing to end. */
  readonly neededMax: number;
}

/**
 * Ghost hits against hits: a miss of a key that was evicted not long ago would have been a hit in a larger cache, as the
 * kernel of Linux counts refaults of its page cache. `hitRatio` is that of the cache itself.
 */
export function thrashState(curve: MissRatioCurve, hitRatio: number, max: number, was: boolean): ThrashState {
  const most = curve.hitRatio(reach * max);
  const ghostsPerHit = Math.max(0, most - hitRatio) / Math.max(hitRatio, 1 / curve.requests);
  const thrashing = ghostsPerHit > (was ? ends : begins);
  return { thrashing, ghostsPerHit, neededMax: thrashing ? neededMax(curve, most, max) : max };
}

function neededMax(curve: MissRatioCurve, most: number, max: number): number {
  let [low, high] = [max, reach * max];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const ratio = curve.hitRatio(Math.floor(middle * certain));
    if (most - ratio <= ends * ratio) high = middle;
    else low = middle + 1;
  }
  return high;
}
