import { seededRandom } from '@ashlar/core';
import { withTraces } from '@workspace/services/traces';
import { describe, expect, it } from 'vitest';
import { sieve, wTinyLfu } from '../../src/index.ts';
import { replay } from '../support/replay.ts';
import { readTrace, referenceCells } from '../support/traces.ts';
import { loop, zipf } from '../support/workloads.ts';

describe('wTinyLfu on real traces', withTraces, () => {
  it('is as good as the better of the adaptive policies of Caffeine', { timeout: 300_000 }, () => {
    const rows = ['WTinyLFU-adaptive(simple)', 'WTinyLFU-adaptive(trust-region-ewma)'].map(row =>
      referenceCells(row),
    );
    const shortfalls = rows[0]!.map(({ trace, cacheSize, requests, hits }, i) => {
      const other = rows[1]![i]!;
      expect([other.trace, other.cacheSize]).toEqual([trace, cacheSize]);
      const map = wTinyLfu<number, number>({ max: cacheSize, random: seededRandom(1) });
      const points = (Math.max(hits, other.hits) - replay(map, readTrace(trace))) / (requests / 100);
      expect(points, `${trace} at ${cacheSize}`).toBeLessThanOrEqual(1.5);
      return Math.max(0, points);
    });
    expect(shortfalls.length).toBeGreaterThan(20);
    expect(shortfalls.reduce((sum, points) => sum + points, 0) / shortfalls.length).toBeLessThanOrEqual(0.3);
  });
});

describe('wTinyLfu', () => {
  const ratio = (max: number, keys: Int32Array) => {
    const map = wTinyLfu<number, number>({ max, random: seededRandom(7) });
    replay(map, keys);
    return replay(map, keys) / keys.length;
  };

  it('keeps most of a loop that is larger than the cache', () => {
    const keys = loop(1_000, 50_000);
    expect(ratio(500, keys)).toBeGreaterThan(0.45);
    expect(replay(sieve({ max: 500 }), keys)).toBe(0);
  });

  it('makes the window as large as keys that come again soon and then never more need it', () => {
    const keys = Int32Array.from({ length: 60_000 }, (_, i) => (i % 2 === 0 ? i : Math.max(1, i - 301)));
    expect(ratio(500, keys)).toBeGreaterThan(0.45);
  });

  it('follows when the workload changes', () => {
    const soon = Int32Array.from({ length: 60_000 }, (_, i) => (i % 2 === 0 ? i : Math.max(1, i - 301)));
    const map = wTinyLfu<number, number>({ max: 500, random: seededRandom(7) });
    const parts = [soon, loop(1_000, 60_000), soon.map(key => key + 1_000_000)];
    const ratios = parts.map(
      keys => replay(map, keys.subarray(0, 30_000)) + replay(map, keys.subarray(30_000)),
    );
    for (const hits of ratios) expect(hits / 60_000).toBeGreaterThan(0.42);
  });

  it('gives the room back when what needed a large window is over', () => {
    for (let seed = 0; seed < 4; seed++) {
      const map = wTinyLfu<number, number>({ max: 250, random: seededRandom(seed) });
      const soon = Int32Array.from(
        { length: 30_000 },
        (_, i) => 5_000 + (i % 3 < 2 ? i : Math.max(1, i - 200)),
      );
      replay(map, zipf(seed, 100, 0.5, 5_000));
      replay(map, soon);
      replay(map, loop(1_011, 30_000));
      expect(replay(map, loop(1_011, 20_000)) / 20_000).toBeGreaterThan(0.15);
    }
  });

  it('lets popular keys stay while others pass through', () => {
    const popular = zipf(3, 400, 0.8, 40_000);
    const keys = Int32Array.from({ length: 80_000 }, (_, i) => (i % 2 === 0 ? popular[i >> 1]! : 10_000 + i));
    expect(ratio(400, keys)).toBeGreaterThan(0.47);
  });

  it('does the same again with the same random', () => {
    const keys = zipf(5, 2_000, 0.7, 20_000);
    const [one, two] = [1, 1].map(seed => replay(wTinyLfu({ max: 200, random: seededRandom(seed) }), keys));
    expect(one).toBe(two);
  });

  it('lets in by luck, now and then, what forged frequencies would keep out', () => {
    const map = wTinyLfu<number, number>({ max: 20, random: seededRandom(2) });
    const residents = loop(19, 19 * 8);
    let hits = 0;
    for (let round = 0; round < 300; round++) {
      for (let key = 1_000; key < 1_005; key++) {
        for (const resident of residents) if (round === 0 || map.has(resident)) replay(map, [resident]);
        hits += replay(map, [key]);
      }
    }
    expect(hits).toBeGreaterThan(100);
  });
});
