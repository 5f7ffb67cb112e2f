import { seededRandom } from '@ashlar/core';

/** Ranks from 0, drawn by Zipf's law: rank r as often as 1 / (r + 1) ** skew. */
export function zipf(seed: number, keys: number, skew: number, requests: number): Int32Array {
  const random = seededRandom(seed);
  const sums = new Float64Array(keys);
  let sum = 0;
  for (let rank = 0; rank < keys; rank++) {
    sum += (rank + 1) ** -skew;
    sums[rank] = sum;
  }
  return Int32Array.from({ length: requests }, () => firstAbove(sums, random() * sum));
}

function firstAbove(sums: Float64Array, target: number): number {
  let [low, high] = [0, sums.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle]! < target) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Keys in turns, again and again. */
export function loop(keys: number, requests: number): Int32Array {
  return Int32Array.from({ length: requests }, (_, i) => i % keys);
}

/** Popular keys, a loop, keys that come once, then other popular keys: each policy does well in another part. */
export function changing(seed: number, requests = 40_000): Int32Array {
  const part = requests >> 2;
  return Int32Array.from([
    ...zipf(seed, 2_000, 0.9, part),
    ...loop(700, part).map(key => 10_000 + key),
    ...Int32Array.from({ length: part }, (_, i) => (i % 3 === 0 ? 20_000 + i : i % 50)),
    ...zipf(seed + 1, 2_000, 1.1, part).map(key => 2_000 - key),
  ]);
}
