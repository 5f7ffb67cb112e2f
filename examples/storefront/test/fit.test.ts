import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { featuresOf } from '../src/fit/features.ts';
import { distance, generatedFeatures } from '../src/fit/search.ts';
import { lruHitRatio, stackDistances } from '../src/fit/stack-distances.ts';
import { seasons } from '../src/workload/seasons.ts';
import { lruHits } from './replay/lru.ts';

describe('stackDistances', () => {
  it('count the hits of an LRU cache of any size', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(12), { minLength: 1, maxLength: 120 }),
        fc.integer({ min: 1, max: 14 }),
        (keys, size) => lruHitRatio(stackDistances(keys), size) === lruHits(keys, size) / keys.length,
      ),
      { seed: 1 },
    );
  });
});

describe('featuresOf', () => {
  it('counts shares by hand', () => {
    // Every second request is for key 0, the others for 200 keys in turn, the last for one of its own.
    const keys = Int32Array.from({ length: 65_000 }, (_, at) => (at % 2 === 0 ? 0 : 1 + (at % 400)));
    keys[64_999] = 1_000;
    const features = featuresOf(keys);
    const distinct = new Set(keys).size;
    expect(features.distinct).toBe(distinct / 65_000);
    expect(features.oneTime).toBe(1 / distinct);
    expect(features.top1).toBeGreaterThan(0.5);
    expect(features.lru6000).toBeCloseTo(1 - distinct / 65_000, 10);
  });
});

describe('distance', () => {
  it('tells the seasons apart, whatever the seed', () => {
    const july = generatedFeatures(seasons.july, 70_000, [5]);
    const december = generatedFeatures(seasons.december, 70_000, [5]);
    expect(distance(july, july)).toBe(0);
    expect(distance(july, generatedFeatures(seasons.july, 70_000, [6]))).toBeLessThan(
      distance(july, december) / 10,
    );
  });
});
