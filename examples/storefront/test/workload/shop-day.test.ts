import { seededRandom } from '@ashlar/core';
import { numbered, traceFile, withTraces } from '@workspace/services/traces';
import { describe, expect, it } from 'vitest';
import { type Features, featuresOf } from '../../src/fit/features.ts';
import { generatedFeatures } from '../../src/fit/search.ts';
import { readTrace } from '../../src/workload/read-trace.ts';
import { type SeasonName, seasons } from '../../src/workload/seasons.ts';
import { shopDay } from '../../src/workload/shop-day.ts';

/** What `npm run fit` measured of the traces, which need not be there: requests, and shares in percent. */
const measured = {
  july: { file: 'cache2k-web07', requests: 76_118, distinct: 26.9, oneTime: 54.0, top1: 36.9, top10: 60.0 },
  december: {
    file: 'cache2k-web12',
    requests: 95_607,
    distinct: 14.4,
    oneTime: 45.1,
    top1: 32.3,
    top10: 71.0,
  },
} as const satisfies Record<SeasonName, object>;

/** In percentage points. Favorites are a hundred keys of 5 000 requests: few, and their number varies by the seed. */
const tolerance = 5;
const favoritesTolerance = 8;

const points = (share: number, wanted: number) => Math.abs(100 * (share - wanted));
const unseenSeeds = [11, 12, 13];

describe.each(Object.keys(measured) as SeasonName[])('a generated %s day', name => {
  const season = seasons[name];
  const { file, requests } = measured[name];

  it('is the same for a seed, another for another, and a shorter one is its beginning', () => {
    const day = shopDay(season, 5_000, seededRandom(1));
    expect(shopDay(season, 5_000, seededRandom(1))).toEqual(day);
    expect(shopDay(season, 1_000, seededRandom(1))).toEqual(day.subarray(0, 1_000));
    expect(shopDay(season, 5_000, seededRandom(2))).not.toEqual(day);
    expect(day.every(product => product >= 0 && product < season.products)).toBe(true);
  });

  it.each(unseenSeeds)('has the measured popularity and one-time keys, with seed %i', seed => {
    const features = featuresOf(shopDay(season, requests, seededRandom(seed)));
    for (const share of ['distinct', 'oneTime', 'top1', 'top10'] as const) {
      expect(points(features[share], measured[name][share] / 100), share).toBeLessThan(tolerance);
    }
  });

  it('drifts: without the drift, favorites stay favorites', () => {
    const lasting = (drift: number) =>
      generatedFeatures({ ...season, drift }, requests, unseenSeeds).overlapTenth;
    expect(lasting(season.drift)).toBeLessThan(lasting(0) - 0.05);
  });

  it(`is like ${file} in every feature, also of its beginning`, withTraces, async () => {
    const trace = featuresOf(numbered((await readTrace(traceFile(file))).keys));
    for (const share of ['distinct', 'oneTime', 'top1', 'top10'] as const) {
      expect(points(trace[share], measured[name][share] / 100), `${share} as noted`).toBeLessThan(0.06);
    }
    for (const seed of unseenSeeds) {
      const day = featuresOf(shopDay(season, requests, seededRandom(seed)));
      for (const feature of Object.keys(trace) as (keyof Features)[]) {
        const allowed = feature.startsWith('overlap') ? favoritesTolerance : tolerance;
        expect(points(day[feature], trace[feature]), `${feature}, seed ${seed}`).toBeLessThan(allowed);
      }
    }
  });
});
