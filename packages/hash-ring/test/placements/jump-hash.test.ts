import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JumpHash } from '../../src/index.ts';
import { jump, strideOf } from '../../src/placements/jump-hash.ts';

/** As the paper has it, in 64-bit integers. */
function reference(key: bigint, buckets: number): number {
  let state = key;
  let bucket = -1;
  for (let next = 0; next < buckets; ) {
    bucket = next;
    state = BigInt.asUintN(64, state * 2862933555777941757n + 1n);
    next = Math.floor((bucket + 1) * (2 ** 31 / (Number(state >> 33n) + 1)));
  }
  return bucket;
}

const ofBig = (key: bigint, buckets: number) => jump(Number(key >> 32n), Number(key & 0xffffffffn), buckets);

describe('jump', () => {
  it.each([
    [1n, 1, 0],
    [0xdead10ccn, 666, 361],
    [256n, 1024, 520],
    [10863919174838991n, 11, 6],
  ])('puts key %s of %i buckets into %i', (key, buckets, bucket) => {
    expect(ofBig(key, buckets)).toBe(bucket);
  });

  it('is the paper, for any key and number of buckets', () => {
    const key = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    fc.assert(
      fc.property(key, fc.integer({ min: 1, max: 2 ** 31 - 1 }), (key, buckets) => {
        expect(ofBig(key, buckets)).toBe(reference(key, buckets));
      }),
      { numRuns: 3000 },
    );
  });
});

describe('strideOf', () => {
  it('visits every place once', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 200 }), (hash, count) => {
        const stride = strideOf(hash, count);
        expect(new Set(Array.from({ length: count }, (_, i) => (i * stride) % count)).size).toBe(count);
      }),
    );
  });
});

describe('JumpHash', () => {
  const keys = Array.from({ length: 5_000 }, (_, i) => `user:${i}`);

  it('moves keys to a node that is appended, and back when it is popped', () => {
    const shards = new JumpHash(['s0', 's1', 's2']);
    const before = keys.map(key => shards.get(key));
    shards.add('s3');
    const after = keys.map(key => shards.get(key));
    expect(after.every((id, i) => id === before[i] || id === 's3')).toBe(true);
    expect(after.filter(id => id === 's3').length / keys.length).toBeCloseTo(1 / 4, 1);
    expect(shards.pop()).toBe('s3');
    expect(keys.map(key => shards.get(key))).toEqual(before);
  });

  it('empties', () => {
    const shards = new JumpHash(['s0']);
    expect([shards.pop(), shards.pop(), shards.size]).toEqual(['s0', undefined, 0]);
  });

  it('has no weights', () => {
    expect(() => new JumpHash([{ id: 's0', weight: 2 }])).toThrow(
      'JumpHash has no weights, but node "s0" has weight 2: use HashRing, RendezvousHash or MaglevTable',
    );
  });
});
