import { InvalidOptionError } from '@ashlar/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jumpHash } from '../../src/compat/index.ts';
import { jumpReference } from './support/reference.ts';

describe('jumpHash', () => {
  it('gives the known buckets', () => {
    expect(jumpHash(1, 1)).toBe(0);
    expect(jumpHash(0xdead10cc, 666)).toBe(361);
    expect(jumpHash(256, 1024)).toBe(520);
    expect(jumpHash(10863919174838991n, 11)).toBe(6);
  });

  it('is the algorithm of the paper', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 64n - 1n), fc.integer({ min: 1, max: 100_000 }), (key, buckets) => {
        expect(jumpHash(key, buckets)).toBe(jumpReference(key, buckets));
      }),
      { numRuns: 5_000, seed: 21 },
    );
    expect(jumpHash(2n ** 64n - 1n, 2 ** 31 - 1)).toBe(jumpReference(2n ** 64n - 1n, 2 ** 31 - 1));
  });

  it('takes a bigint modulo 2^64, and a number for the same bigint', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.integer({ min: 1, max: 1_000 }), (key, buckets) => {
        expect(jumpHash(key, buckets)).toBe(jumpHash(BigInt(key), buckets));
        expect(jumpHash(BigInt(key), buckets)).toBe(jumpHash(BigInt.asUintN(64, BigInt(key)), buckets));
      }),
      { numRuns: 2_000, seed: 22 },
    );
  });

  it('refuses what is no key, and numbers of buckets that cannot be', () => {
    for (const key of [1.5, Number.NaN, 2 ** 53, '1' as unknown as number]) {
      expect(() => jumpHash(key, 3)).toThrow(InvalidOptionError);
    }
    for (const buckets of [0, -1, 1.5, 2 ** 31])
      expect(() => jumpHash(1, buckets)).toThrow(InvalidOptionError);
  });
});
