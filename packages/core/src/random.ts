import { refused } from './options/refused.ts';

/** Numbers in [0, 1), as `Math.random` gives them. */
export type Random = () => number;

/** A reproducible `Random` with 32 bits a draw (mulberry32, by Tommy Ettinger). Not for secrets. @throws InvalidOptionError */
export function seededRandom(seed: number): Random {
  if (!Number.isFinite(seed)) throw refused('seed', 'a number', seed);
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
