import { mul64High } from './hash/u64.ts';

/**
 * The bucket, 0 to `buckets - 1`, of a 64-bit key given in two halves: "A Fast, Minimal Memory, Consistent Hash Algorithm"
 * (Lamping and Veach, 2014).
 */
export function jump(high: number, low: number, buckets: number): number {
  let hi = high | 0;
  let lo = low | 0;
  let bucket = 0;
  for (let next = 0; next < buckets; ) {
    bucket = next;
    // key = key * 2862933555777941757 + 1, modulo 2 ** 64; the factor is 0x27bb2ee687b0b0fd
    hi = mul64High(hi, lo, 0x27bb2ee6, 0x87b0b0fd);
    lo = Math.imul(lo, 0x87b0b0fd);
    lo = (lo + 1) | 0;
    if (lo === 0) hi = (hi + 1) | 0;
    // 2 ** 31 / ((key >>> 33) + 1)
    next = Math.floor((bucket + 1) * (0x80000000 / ((hi >>> 1) + 1)));
  }
  return bucket;
}
