import { mul64High, word } from '../../hash/u64.ts';

/** MurmurHash2 by Austin Appleby, seeded with 0xdeadbeef × length: `murmur` of libmemcached and twemproxy. */
export function murmur2(bytes: Uint8Array, length: number): number {
  const prime = 0x5bd1e995;
  let hash = Math.imul(0xdeadbeef, length) ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    const block = Math.imul(word(bytes, at), prime);
    hash = Math.imul(hash, prime) ^ Math.imul(block ^ (block >>> 24), prime);
  }
  if (at < length) {
    for (let i = at; i < length; i++) hash ^= bytes[i]! << ((i - at) * 8);
    hash = Math.imul(hash, prime);
  }
  hash = Math.imul(hash ^ (hash >>> 13), prime);
  return (hash ^ (hash >>> 15)) >>> 0;
}

const primeHigh = 0xc6a4a793 | 0;
const primeLow = 0x5bd1e995 | 0;

/** MurmurHash64A with libstdc++'s seed 0xc70f6907, written to `digest` as upper and lower half. */
export function murmur64A(bytes: Uint8Array, length: number, digest: Uint32Array): void {
  let high = mul64High(0, length, primeHigh, primeLow);
  let low = 0xc70f6907 ^ Math.imul(length, primeLow);
  let at = 0;
  for (; at + 8 <= length; at += 8) {
    let blockLow = word(bytes, at);
    let blockHigh = mul64High(word(bytes, at + 4), blockLow, primeHigh, primeLow);
    // The shift is by 47 bits: only the upper half's leading 17 reach the lower half
    blockLow = Math.imul(blockLow, primeLow) ^ (blockHigh >>> 15);
    blockHigh = mul64High(blockHigh, blockLow, primeHigh, primeLow);
    high ^= blockHigh;
    low ^= Math.imul(blockLow, primeLow);
    high = mul64High(high, low, primeHigh, primeLow);
    low = Math.imul(low, primeLow);
  }
  if (at < length) {
    for (let i = at; i < length; i++) {
      if (i - at < 4) low ^= bytes[i]! << ((i - at) * 8);
      else high ^= bytes[i]! << ((i - at - 4) * 8);
    }
    high = mul64High(high, low, primeHigh, primeLow);
    low = Math.imul(low, primeLow);
  }
  low ^= high >>> 15;
  high = mul64High(high, low, primeHigh, primeLow);
  low = Math.imul(low, primeLow);
  digest[0] = high;
  digest[1] = low ^ (high >>> 15);
}
