import type { Random } from '@ashlar/core';

/** What is requested: a few keys far more than others; with scans between; a loop; or popularity that changes. */
export type Traffic = 'popular' | 'scans' | 'loop' | 'drift';

export const traffics: readonly Traffic[] = ['popular', 'scans', 'loop', 'drift'];

const keys = 5_000;
/** A little longer than the larger cache. */
const loopLength = 500;
/** Requests between two scans, and those of one. */
const betweenScans = 1_000;
const scanLength = 500;
/** Requests after which another key is the most popular. */
const driftEvery = 10;

/** Keys that are requested one after the other, without end. */
export function* keysOf(traffic: Traffic, random: Random): Generator<number, never> {
  for (let request = 0; ; request++) {
    if (traffic === 'loop') yield request % loopLength;
    else if (traffic === 'drift') yield (rankOf(random) + Math.floor(request / driftEvery)) % keys;
    else {
      if (traffic === 'scans' && request > 0 && request % betweenScans === 0) {
        // Of rows that nobody asks for again
        const first = keys + (request / betweenScans) * scanLength;
        for (let row = 0; row < scanLength; row++) yield first + row;
      }
      yield rankOf(random);
    }
  }
}

/** How many requests go to the ranks up to each, by Zipf's law. */
const upTo = new Float64Array(keys);
let sum = 0;
for (let rank = 0; rank < keys; rank++) upTo[rank] = sum += 1 / (rank + 1) ** 0.9;

/** A rank, drawn by Zipf's law: the nth key is requested as often as the first, divided by n to the power of 0.9. */
function rankOf(random: Random): number {
  const drawn = random() * sum;
  let low = 0;
  let high = keys - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (upTo[middle]! < drawn) low = middle + 1;
    else high = middle;
  }
  return low;
}
