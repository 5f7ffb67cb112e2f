import { integer, refused, required } from '@ashlar/core';
import { jump } from '../placements/jump-hash.ts';

const bucketsRule = required(integer(undefined, { min: 1, max: 2 ** 31 - 1 }));

/**
 * The bucket, 0 to `buckets - 1`, of a 64-bit key: `JumpConsistentHash` of Lamping and Veach's paper, and Guava's
 * `Hashing.consistentHash(long, int)`.
 *
 * The key is any `bigint`, taken modulo 2^64, so that a signed `long` is itself; or a safe integer, which is faster.
 * `buckets` is 1 to 2^31 - 1. Guava pads a 32-bit `HashCode` with zeros: give it as an unsigned number.
 *
 * @throws InvalidOptionError
 */
export function jumpHash(key64: bigint | number, buckets: number): number {
  bucketsRule(buckets, 'buckets');
  if (typeof key64 === 'bigint') {
    return jump(Number(BigInt.asIntN(32, key64 >> 32n)), Number(BigInt.asIntN(32, key64)), buckets);
  }
  if (!Number.isSafeInteger(key64)) throw refused('key64', 'a bigint or a safe integer', key64, adviceFor);
  return jump(Math.floor(key64 / 2 ** 32), key64, buckets);
}

function adviceFor(value: unknown): string | undefined {
  return typeof value === 'string' ? 'hash the text first: `jumpHash(murmur3(text), buckets)`' : undefined;
}
