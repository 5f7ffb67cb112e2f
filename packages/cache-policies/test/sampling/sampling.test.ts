import { InvalidOptionError, seededRandom } from '@ashlar/core';
import { withTraces } from '@workspace/services/traces';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MissRatioCurve } from '../../src/index.ts';
import { RecencyStack } from '../../src/sampling/recency-stack.ts';
import { SpatialSample, shadowSize } from '../../src/sampling/spatial-sample.ts';
import { KeyHash } from '../../src/slots/key-hash.ts';
import { readTrace, referenceCells } from '../support/traces.ts';
import { changing, loop, zipf } from '../support/workloads.ts';

/** The hits of an LRU of each size, said as plainly as it can be. */
function lruHits(keys: Iterable<number>, sizes: readonly number[]): number[] {
  const stack: number[] = [];
  const hits = sizes.map(() => 0);
  for (const key of keys) {
    const distance = stack.indexOf(key);
    if (distance >= 0) stack.splice(distance, 1);
    stack.unshift(key);
    sizes.forEach((size, i) => {
      if (distance >= 0 && distance < size) hits[i]!++;
    });
  }
  return hits;
}

function curveOf(keys: Iterable<number>, options: ConstructorParameters<typeof MissRatioCurve>[0], seed = 1) {
  const curve = new MissRatioCurve(options);
  const hash = new KeyHash(seed);
  for (const key of keys) curve.request(hash.of(key));
  return curve;
}

describe('the stack of recency', () => {
  it('tells how many others came since, also while it closes its gaps and forgets', () => {
    const step = fc.oneof(
      { weight: 20, arbitrary: fc.nat({ max: 25 }) },
      { weight: 1, arbitrary: fc.constant('forget' as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), steps => {
        const stack = new RecencyStack(32);
        let plain: number[] = [];
        for (const next of steps) {
          if (next === 'forget') {
            stack.retain(key => key % 3 !== 0);
            plain = plain.filter(key => key % 3 !== 0);
          } else {
            expect(stack.request(next)).toBe(plain.indexOf(next));
            plain = [next, ...plain.filter(key => key !== next)];
          }
          expect(stack.size).toBe(plain.length);
        }
      }),
      { seed: 2, numRuns: 300 },
    );
  });
});

describe('the curve of miss ratios', () => {
  it('is exact while every key is followed and sizes are small', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 40 }), { minLength: 1, maxLength: 400 }), keys => {
        const sizes = [1, 2, 5, 13, 31];
        const curve = curveOf(keys, {});
        expect(curve.share).toBe(1);
        lruHits(keys, sizes).forEach((hits, i) => {
          expect(curve.hitRatio(sizes[i]!)).toBeCloseTo(hits / keys.length, 10);
        });
      }),
      { seed: 3, numRuns: 200 },
    );
  });

  it('follows fewer keys when there are too many, and is right within 3 points on average', () => {
    const keys = zipf(1, 20_000, 0.8, 100_000);
    const exact = curveOf(keys, { samples: 65_536 });
    expect(exact.share).toBe(1);
    const sizes = [300, 1_000, 3_000, 10_000];
    let sum = 0;
    for (let seed = 1; seed <= 5; seed++) {
      const curve = curveOf(keys, { samples: 8_192 }, seed);
      expect(curve.share).toBeLessThanOrEqual(0.5);
      for (const size of sizes) sum += Math.abs(curve.hitRatio(size) - exact.hitRatio(size));
    }
    expect(sum / (5 * sizes.length)).toBeLessThan(0.03);
  });

  it('shows the step of a loop where it is', () => {
    const curve = curveOf(loop(3_000, 60_000), { samples: 1_024 });
    expect(curve.hitRatio(2_000)).toBeLessThan(0.05);
    expect(curve.hitRatio(4_500)).toBeGreaterThan(0.9);
  });

  it('shows what the workload is now when what was has faded', () => {
    const curve = new MissRatioCurve();
    const hash = new KeyHash(1);
    for (const part of [loop(100, 20_000), loop(1_000, 20_000)]) {
      for (let i = 0; i < 20; i++) curve.fade(0.5);
      for (const key of part) curve.request(hash.of(key));
    }
    expect(curve.hitRatio(150)).toBeLessThan(0.1);
    expect(curve.hitRatio(1_050)).toBeGreaterThan(0.9);
  });

  it('refuses what cannot be', () => {
    for (const wrong of [{ samples: 1 }, { share: 0 }, { share: 2 }]) {
      expect(() => new MissRatioCurve(wrong)).toThrow(InvalidOptionError);
    }
  });

  it('counts requests that it does not follow, as hits of any cache', () => {
    const curve = curveOf(loop(10, 1_000), {});
    curve.skip(1_000);
    expect(curve.requests).toBe(2_000);
    // The correction: what the sample does not stand for counts as hits of what is popular
    expect(curve.hitRatio(5)).toBeCloseTo(0.5);
  });

  it('is within 2 points of the exact replays of real traces, on average', withTraces, () => {
    const cells = referenceCells('LRU');
    const errors = cells.map(({ trace, cacheSize, hits, requests }) => {
      const error = Math.abs(curveOf(readTrace(trace), {}).hitRatio(cacheSize) - hits / requests);
      // Keys that are all followed leave but the width of a bucket
      if (requests < 50_000) expect(error, `${trace} at ${cacheSize}`).toBeLessThan(0.002);
      return error;
    });
    expect(errors.reduce((sum, error) => sum + error, 0) / errors.length).toBeLessThan(0.02);
  });
});

describe('the sample of keys', () => {
  it('has its share of them, and the same ones always', () => {
    const sample = new SpatialSample(0.1);
    const hash = new KeyHash(seededRandom(1)() * 2 ** 32);
    let size = 0;
    for (let key = 0; key < 100_000; key++) if (sample.has(hash.of(key))) size++;
    expect(size / 100_000).toBeCloseTo(0.1, 2);
    expect(new Set(changing(1, 100).map(key => Number(sample.has(hash.of(key))))).size).toBe(2);
    for (let key = 0; key < 1_000; key++) expect(new SpatialSample(1).has(hash.of(key))).toBe(true);
  });

  it('is all of a small cache and a small part of a large one', () => {
    const sizes = [10, 1_000, 2_000, 10_000, 1_000_000].map(entries => shadowSize(entries, 100));
    expect(sizes).toEqual([10, 1_000, 500, 100, 1_000]);
  });
});
