import { describe, InvalidOptionError, integerOption } from '@ashlar/core';
import { jump } from '../placements/jump-hash.ts';

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
  integerOption('buckets', buckets, { min: 1, max: 2 ** 31 - 1 });
  if (typeof key64 === 'bigint') {
    return jump(Number(BigInt.asIntN(32, key64 >> 32n)), Number(BigInt.asIntN(32, key64)), buckets);
  }
  if (!Number.isSafeInteger(key64)) {
    throw new InvalidOptionError(
      'key64',
      `\`key64\` must be a bigint or a safe integer, got ${describe(key64)}`,
    );
  }
  return jump(Math.floor(key64 / 2 ** 32), key64, buckets);
}
