import diagnosticsChannel from 'node:diagnostics_channel';
import { InvalidOptionError, seededRandom } from '@ashlar/core';
import { withTraces } from '@workspace/services/traces';
import { describe, expect, it } from 'vitest';
import {
  type BoundedMap,
  Cache,
  type CacheAdvice,
  CacheAdvisor,
  type Eviction,
  lru,
  s3fifo,
  type ThrashMessage,
  wTinyLfu,
} from '../../src/index.ts';
import { replay } from '../support/replay.ts';
import { readTrace, referenceCells } from '../support/traces.ts';
import { changing, loop, zipf } from '../support/workloads.ts';

function advised<K>(advisor: CacheAdvisor, eviction: Eviction, max: number, keys: Iterable<K>): CacheAdvice {
  const map = eviction<K, number>({ max });
  for (const key of keys) {
    if (map.get(key) === undefined) {
      map.set(key, 1);
      advisor.miss(key);
    } else advisor.hit(key);
  }
  return advisor.estimate();
}

/** By how many points the advice is off, at half, double and ten times the size and under another policy. */
function errors(eviction: Eviction, max: number, keys: Int32Array, seed: number): number[] {
  const advisor = new CacheAdvisor({
    ...{ max, eviction, others: { s3fifo }, random: seededRandom(seed) },
    windowRequests: keys.length + 1,
  });
  const advice = advised(advisor, eviction, max, keys);
  const exact = (other: Eviction, size: number) => replay(other({ max: size }), keys) / keys.length;
  return [
    ...advice.sizes.map(({ max, hitRatio }) => hitRatio - exact(eviction, max)),
    advice.policies['s3fifo']! - exact(s3fifo, max),
    advice.hitRatio - exact(eviction, max),
  ].map(error => Math.abs(error) * 100);
}

const mean = (numbers: readonly number[]) =>
  numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

describe('what the advisor says of other sizes and policies', () => {
  it('is exact of a small cache, whatever its policy', () => {
    const keys = changing(1, 20_000);
    for (const eviction of [lru, s3fifo])
      for (const error of errors(eviction, 80, keys, 1)) expect(error).toBeCloseTo(0);
  });

  it('is within 2 points of a large cache, of which it follows one key in a hundred', () => {
    const found = [1, 2, 3].map(seed => errors(lru, 10_000, zipf(seed, 100_000, 0.8, 150_000), seed));
    expect(mean(found.flat())).toBeLessThan(2);
    for (const { length, [length - 1]: measured } of found) expect(measured).toBeCloseTo(0);
  });

  // With the sample of this seed; that of another may leave a few cells more behind
  it('is within 2 points on nearly all real traces', { ...withTraces, timeout: 300_000 }, () => {
    const found = referenceCells('LRU').flatMap(({ trace, cacheSize }) =>
      errors(lru, cacheSize, readTrace(trace), 1),
    );
    expect(found.length).toBeGreaterThan(100);
    expect(mean(found)).toBeLessThan(0.7);
    expect(found.filter(error => error > 2).length / found.length).toBeLessThan(0.05);
  });

  it('takes keys of any kind', () => {
    const keys = Array.from(zipf(3, 500, 0.9, 20_000), key => `key ${key}`);
    const advisor = new CacheAdvisor({ max: 100, eviction: lru, windowRequests: 1e9 });
    const { sizes } = advised(advisor, lru, 100, keys);
    expect(sizes[1]!.hitRatio).toBeCloseTo(replay(lru({ max: 200 }), keys) / keys.length, 5);
  });
});

describe('the thrash detector', () => {
  const hear = (run: () => void): ThrashMessage[] => {
    const messages: ThrashMessage[] = [];
    const listener = (message: unknown) => messages.push(message as ThrashMessage);
    diagnosticsChannel.subscribe('ashlar:cache-policies:thrash', listener);
    try {
      run();
    } finally {
      diagnosticsChannel.unsubscribe('ashlar:cache-policies:thrash', listener);
    }
    return messages;
  };

  it('tells of a loop that is larger than the cache, with the size that ends it', () => {
    const keys = loop(700, 30_000);
    const advisor = new CacheAdvisor({ name: 'prices', max: 500, eviction: lru });
    const messages = hear(() => advised(advisor, lru, 500, keys));
    expect(messages).toHaveLength(1);
    const { neededMax } = messages[0]!;
    expect(messages[0]).toMatchObject({ cache: 'prices', max: 500, thrashing: true, hitRatio: 0 });
    expect(neededMax).toBeGreaterThanOrEqual(650);
    expect(neededMax).toBeLessThan(750);
    expect(advisor.snapshot()).toMatchObject({ name: 'prices', thrashing: true, neededMax });
    expect(() => JSON.stringify(advisor.snapshot())).not.toThrow();
    const larger = new CacheAdvisor({ max: neededMax, eviction: lru });
    expect(hear(() => advised(larger, lru, neededMax, keys))).toEqual([]);
    expect(larger.estimate()).toMatchObject({ thrashing: false, neededMax });
  });

  it('tells the size of a large cache too', () => {
    const advisor = new CacheAdvisor({ max: 5_000, eviction: lru, random: seededRandom(1) });
    const [message] = hear(() => advised(advisor, lru, 5_000, loop(8_000, 150_000)));
    expect(message!.neededMax).toBeGreaterThan(6_000);
    expect(message!.neededMax).toBeLessThan(10_500);
  });

  it('says nothing of keys that come once, however few hits there are', () => {
    const keys = Int32Array.from({ length: 40_000 }, (_, i) => (i % 10 === 0 ? i % 50 : i));
    const advisor = new CacheAdvisor({ max: 200, eviction: lru, random: seededRandom(1) });
    expect(hear(() => advised(advisor, lru, 200, keys))).toEqual([]);
  });

  it('tells when it is over', () => {
    const advisor = new CacheAdvisor({ max: 500, eviction: lru });
    const keys = [...loop(700, 30_000), ...loop(300, 60_000)];
    const messages = hear(() => advised(advisor, lru, 500, keys));
    expect(messages.map(({ thrashing }) => thrashing)).toEqual([true, false]);
    expect(messages[1]!.neededMax).toBe(500);
  });
});

it('observes a Cache', async () => {
  const observer = new CacheAdvisor({ max: 50, eviction: lru, windowRequests: 1e9 });
  const load = async (key: string) => key.length;
  await using cache = new Cache<string, number>({ max: 50, eviction: lru, observer, load });
  for (const key of loop(80, 800)) await cache.get(`key ${key}`);
  const { observer: seen } = cache.snapshot();
  expect(seen?.hitRatio).toBe(0);
  expect(seen?.sizes?.[1]?.hitRatio).toBeCloseTo(0.9);
  expect(seen).toMatchObject({ name: 'cache', max: 50, thrashing: true });
});

describe('marks of the keys that it follows', () => {
  const max = 3_000;
  const keys = Array.from(zipf(5, 20_000, 0.9, 100_000), key => `key ${key}`);
  const make = (windowRequests = 1e9) =>
    new CacheAdvisor({
      ...{ max, eviction: lru, others: { s3fifo }, windowRequests },
      random: seededRandom(1),
    });

  /** As a caller does who keeps the mark beside the value. */
  function marked(advisor: CacheAdvisor, requests: Iterable<string>): number {
    let told = 0;
    const map = lru<string, { readonly isFollowed: boolean }>({ max });
    for (const key of requests) {
      const held = map.get(key);
      if (held === undefined) {
        advisor.miss(key);
        map.set(key, { isFollowed: advisor.follows(key) });
      } else if (held.isFollowed) {
        told++;
        advisor.hit(key);
      } else advisor.unfollowed.hits++;
    }
    return told;
  }

  it('leave the advice as it is', () => {
    const advisor = make();
    const told = marked(advisor, keys);
    const { hitRatio } = advisor.estimate();
    expect(told).toBeLessThan(0.25 * hitRatio * keys.length);
    expect(advisor.estimate()).toEqual(advised(make(), lru, max, keys));
  });

  it('are kept by a Cache, under the ids of its keys', async () => {
    const observer = make();
    await using cache = new Cache<{ readonly name: string }, number>({
      ...{ max, eviction: lru, observer },
      keyOf: ({ name }) => name,
    });
    for (const name of keys)
      if ((await cache.get({ name })) === undefined) await cache.set({ name }, name.length);
    expect(observer.estimate()).toEqual(advised(make(), lru, max, keys));
  });

  it('leave no hit uncounted', () => {
    const advisor = make();
    const key = keys.find(key => !advisor.follows(key))!;
    advisor.miss(key);
    advisor.unfollowed.hits += 3;
    expect(advisor.estimate().hitRatio).toBe(0.75);
    advisor.unfollowed.hits += 4;
    expect(advisor.estimate().hitRatio).toBe(0.875);
  });

  it('leave the thrash detector its windows', () => {
    const name = (key: number) => `key ${key}`;
    const advisor = make(30_000);
    marked(advisor, Array.from(loop(5_000, 60_000), name));
    expect(advisor.estimate().thrashing).toBe(true);
    marked(advisor, Array.from(loop(1_000, 150_000), name));
    expect(advisor.estimate()).toMatchObject({ thrashing: false, neededMax: max });
  });
});

describe('its memory', () => {
  it.each([1_000, 10_000, 1_000_000])('has a bound beside a cache of %i', max => {
    const maps: BoundedMap<unknown, unknown>[] = [];
    const eviction: Eviction = bound => {
      const map = lru(bound);
      maps.push(map as BoundedMap<unknown, unknown>);
      return map;
    };
    const advisor = new CacheAdvisor({ max, eviction, random: seededRandom(1) });
    for (let key = 0; key < 1_500_000; key++) advisor.miss(key);
    advisor.estimate();
    expect(maps.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(6_000);
  });
});

describe('its options', () => {
  it('are checked', () => {
    const right = { max: 10, eviction: wTinyLfu };
    for (const wrong of [{ max: 0 }, { windowRequests: 0 }, { factors: [0] }, { size: 1 }]) {
      expect(() => new CacheAdvisor({ ...right, ...wrong })).toThrow(InvalidOptionError);
    }
    const advisor = new CacheAdvisor(right);
    expect(advisor.estimate().hitRatio).toBeNaN();
  });
});
