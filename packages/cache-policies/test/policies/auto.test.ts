import { seededRandom } from '@ashlar/core';
import { withTraces } from '@workspace/services/traces';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { auto, lirs, wTinyLfu } from '../../src/index.ts';
import { replay } from '../support/replay.ts';
import { readTrace, referenceCells } from '../support/traces.ts';
import { changing, loop, zipf } from '../support/workloads.ts';

const random = () => seededRandom(1);

describe('auto on real traces', withTraces, () => {
  it('is near the best policy of each', { timeout: 600_000 }, () => {
    const best = new Map<string, { trace: string; cacheSize: number; requests: number; hits: number }>();
    for (const cell of referenceCells()) {
      const name = `${cell.trace} at ${cell.cacheSize}`;
      if ((best.get(name)?.hits ?? -1) < cell.hits) best.set(name, cell);
    }
    expect(best.size).toBeGreaterThan(20);
    let sum = 0;
    for (const [name, { trace, cacheSize, requests, hits }] of best) {
      const map = auto<number, number>({ max: cacheSize, random: random() });
      const regret = (hits - replay(map, readTrace(trace))) / (requests / 100);
      expect(regret, name).toBeLessThanOrEqual(4);
      sum += regret;
    }
    expect(sum / best.size).toBeLessThanOrEqual(1);
  });
});

/** Each key twice, the second time soon after, and then never more. */
function twice(seed: number, requests: number): Int32Array {
  const first = seed * 10_000_000;
  return Int32Array.from({ length: requests }, (_, i) => first + (i % 2 === 0 ? i : Math.max(1, i - 301)));
}

describe('auto', () => {
  it('runs what is best for a loop, then for keys that come again but once, then for the loop', () => {
    const map = auto<number, number>({ max: 600, random: random() });
    const parts = [loop(900, 40_000), twice(1, 60_000), loop(900, 60_000), twice(2, 60_000)];
    const ratios = parts.map(keys => {
      replay(map, keys.subarray(0, keys.length / 2));
      return (replay(map, keys.subarray(keys.length / 2)) / keys.length) * 2;
    });
    expect(ratios[0]).toBeGreaterThan(0.6);
    expect(ratios[1]).toBeGreaterThan(0.45);
    expect(ratios[2]).toBeGreaterThan(0.6);
    expect(ratios[3]).toBeGreaterThan(0.45);
    const alone = lirs<number, number>({ max: 600 });
    replay(alone, parts[0]!);
    expect(replay(alone, parts[1]!) / parts[1]!.length).toBeLessThan(0.1);
  });

  it('is never much worse than one of its policies on a workload that changes', () => {
    const keys = changing(4, 120_000);
    for (const max of [100, 600, 2_000]) {
      const hits = replay(auto({ max, random: random() }), keys);
      for (const other of [lirs, wTinyLfu]) {
        expect(hits / keys.length).toBeGreaterThan(replay(other({ max }), keys) / keys.length - 0.03);
      }
    }
  });

  it('keeps its entries when it changes, and says what it runs', () => {
    const left: number[] = [];
    const map = auto<number, number>({
      max: 500,
      random: random(),
      onEvict: (key, _value, reason) => {
        expect(reason).toBe('capacity');
        left.push(key);
      },
    });
    expect(map.policy).toBe('lirs');
    let stored = 0;
    let changes = 0;
    for (const key of twice(1, 30_000)) {
      const { policy } = map;
      const size = map.size;
      if (map.get(key) === undefined) {
        map.set(key, 1);
        stored++;
      }
      expect(map.size).toBeGreaterThanOrEqual(size);
      expect(stored - left.length).toBe(map.size);
      if (map.policy !== policy) changes++;
    }
    expect(changes).toBeGreaterThan(0);
    expect(changes).toBeLessThan(6);
    expect(map.policy).not.toBe('lirs');
    expect(map.size).toBe(500);
  });

  it('answers as a map does whatever its policies do', () => {
    const step = fc.record({
      op: fc.constantFrom('get', 'set', 'delete', 'twice'),
      key: fc.nat({ max: 40 }),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.array(step, { maxLength: 300 }),
        fc.nat(),
        (max, steps, seed) => {
          const held = new Map<number, number>();
          const map = auto<number, number>({
            max,
            random: seededRandom(seed),
            onEvict: (key, value, reason) => {
              if (reason !== 'replaced') expect(held.get(key)).toBe(value);
              if (reason !== 'replaced') held.delete(key);
            },
          });
          steps.forEach(({ op, key }, i) => {
            if (op === 'get') expect(map.get(key)).toBe(held.get(key));
            else if (op === 'delete') {
              const there = held.has(key);
              expect(map.delete(key)).toBe(there);
              held.delete(key);
            } else {
              held.set(key, i);
              map.set(key, i);
              if (op === 'twice')
                for (let j = 0; j < 40; j++)
                  replay(
                    map,
                    [1_000 + ((i + j) % 7)].filter(k => map.has(k)),
                  );
            }
          });
          expect(new Map(map)).toEqual(held);
        },
      ),
      { seed: 3, numRuns: 300 },
    );
  });

  it('compares by weight when there are weights', () => {
    const weigh = (key: number) => 1 + (key % 5);
    const map = auto<number, number>({ max: 1_500, weigh, random: random() });
    replay(map, twice(1, 60_000));
    expect(replay(map, twice(2, 60_000)) / 60_000).toBeGreaterThan(0.4);
    expect(map.policy).not.toBe('lirs');
  });

  it('follows keys that are strings as it follows numbers', () => {
    const map = auto<string, number>({ max: 2_000, random: random() });
    const keys = Array.from(twice(1, 80_000), key => `key ${key}`);
    expect(replay(map, keys) / keys.length).toBeGreaterThan(0.4);
    const popular = Array.from(zipf(1, 8_000, 0.9, 80_000), key => `key ${key}`);
    expect(replay(map, popular)).toBeGreaterThan(replay(lirs({ max: 2_000 }), popular) * 0.95);
  });
});
