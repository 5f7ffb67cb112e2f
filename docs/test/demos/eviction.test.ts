import { seededRandom } from '@ashlar/core';
import { expect, test } from 'vitest';
import { EvictionSimulation, policies } from '../../.vitepress/theme/cache/simulation.ts';
import { keysOf, type Traffic } from '../../.vitepress/theme/cache/traffic.ts';
import { inPage } from './in-page.ts';

/** The hit ratios after some seconds, by name. */
function ratiosOf(traffic: Traffic, max: number): Record<string, number> {
  const simulation = new EvictionSimulation(traffic, max, 42);
  simulation.advance(6_000);
  return Object.fromEntries(simulation.policies.map(({ name, hitRatio }) => [name, hitRatio]));
}

test('a loop that is longer than the cache empties an LRU, and not LIRS', () => {
  const { lru, lirs } = ratiosOf('loop', 400);
  expect(lru).toBe(0);
  expect(lirs).toBeGreaterThan(0.5);
});

test('of what an LRU answers, scans leave less than of what W-TinyLFU answers', () => {
  const [popular, scans] = [ratiosOf('popular', 400), ratiosOf('scans', 400)];
  const leftOf = (name: string) => scans[name]! / popular[name]!;
  expect(leftOf('lru')).toBeLessThan(leftOf('wTinyLfu') - 0.02);
});

test('changing popularity costs LFU more than the others', () => {
  const { lfu, ...others } = ratiosOf('drift', 400);
  expect(others['lru']).toBeGreaterThan(lfu! + 0.05);
});

test('time in small steps or in one gives the same', () => {
  const [one, other] = [new EvictionSimulation('scans', 100, 7), new EvictionSimulation('scans', 100, 7)];
  one.advance(2_000);
  for (let step = 0; step < 125; step++) other.advance(16);
  expect(other.requests).toBe(4_000);
  expect(other.policies).toEqual(one.policies);
});

test('hit ratios forget what is long ago', () => {
  const simulation = new EvictionSimulation('popular', 400, 42);
  simulation.advance(200);
  const cold = simulation.policies.find(({ name }) => name === 'lru')!.hitRatio;
  simulation.advance(20_000);
  for (const { hitRatio } of simulation.policies) {
    expect(hitRatio).toBeGreaterThan(cold);
    expect(hitRatio).toBeLessThan(1);
  }
  expect(simulation.policies).toHaveLength(policies.length);
});

test('the most popular key is requested twice as often as the third or so, by Zipf', () => {
  const keys = keysOf('popular', seededRandom(1));
  const counts = [0, 0, 0];
  for (let request = 0; request < 50_000; request++) {
    const key = keys.next().value;
    if (key < 3) counts[key]!++;
  }
  expect(counts[0]! / counts[1]!).toBeCloseTo(2 ** 0.9, 0);
  expect(counts[0]! / counts[2]!).toBeCloseTo(3 ** 0.9, 0);
});

test('runs where there is nothing of Node', async () => {
  const page = await inPage<{ EvictionSimulation: typeof EvictionSimulation }>('cache/simulation.ts');
  const simulation = new page.EvictionSimulation('scans', 100, 1);
  simulation.advance(1_000);
  expect(simulation.requests).toBe(2_000);
});
