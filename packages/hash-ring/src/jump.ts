/**
 * The bucket, 0 to `buckets - 1`, of a 64-bit key given in two halves: "A Fast, Minimal Memory, Consistent Hash Algorithm"
 * (Lamping and Veach, 2014). The 64-bit products are made of 16-bit parts, since a `BigInt` would be some 20 times slower.
 */
export function jump(high: number, low: number, buckets: number): number {
  let hi = high | 0;
  let lo = low | 0;
  let bucket = 0;
  for (let next = 0; next < buckets; ) {
    bucket = next;
    // key = key * 2862933555777941757 + 1, modulo 2 ** 64; the factor is 0x27bb2ee687b0b0fd
    hi = (Math.imul(hi, 0x87b0b0fd) + Math.imul(lo, 0x27bb2ee6) + highProduct(lo, 0x87b0, 0xb0fd)) | 0;
    lo = Math.imul(lo, 0x87b0b0fd);
    lo = (lo + 1) | 0;
    if (lo === 0) hi = (hi + 1) | 0;
    // 2 ** 31 / ((key >>> 33) + 1)
    next = Math.floor((bucket + 1) * (0x80000000 / ((hi >>> 1) + 1)));
  }
  return bucket;
}

/** The upper 32 bits of the product of two unsigned 32-bit numbers, the second given in halves of 16 bits. */
function highProduct(a: number, bHigh: number, bLow: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const carry = aLow * bHigh + ((aLow * bLow) >>> 16);
  const middle = aHigh * bLow + (carry % 0x10000);
  return aHigh * bHigh + Math.floor(carry / 0x10000) + Math.floor(middle / 0x10000);
}
