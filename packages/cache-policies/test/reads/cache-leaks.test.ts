import { seededRandom } from '@ashlar/core';
import { expect, it } from 'vitest';
import { memoryTier, writeThrough } from '../../src/index.ts';
import { manualCache, settle } from '../support/caches.ts';

it('holds nothing beyond its bound when everything has settled, whatever failed or was given up', async () => {
  const random = seededRandom(5);
  const remote = memoryTier({ max: 50 });
  const fails = () => random() < 0.2;
  const { cache, clock } = manualCache<string, string>({
    ...{ max: 20, remote, ttlMs: 50, staleMs: 10, staleIfErrorMs: 20, random },
    ...{ timeoutMs: 40, softTimeoutMs: 5, refreshAhead: { beta: 1 } },
    load: async key => {
      await clock.sleep(random() * 60);
      if (fails()) throw new Error('down');
      return `${key}!`;
    },
    write: writeThrough({
      write: async () => {
        if (fails()) throw new Error('down');
      },
    }),
  });
  const all: Promise<unknown>[] = [];
  const start = (work: Promise<unknown>) => {
    work.catch(() => {});
    all.push(work);
  };
  for (let i = 0; i < 1_500; i++) {
    const key = `key-${Math.floor(random() * 100)}`;
    const draw = random();
    const controller = new AbortController();
    if (draw < 0.7) start(cache.get(key, controller));
    else if (draw < 0.8) start(cache.getMany([key, 'x', 'y'], controller));
    else if (draw < 0.9) start(cache.set(key, 'set'));
    else if (draw < 0.95) start(cache.delete(key));
    else start(cache.invalidateTags([key]));
    if (random() < 0.2) controller.abort(new Error('gone'));
    if (i % 10 === 0) await clock.advance(5);
  }
  for (let i = 0; i < 100; i++) await clock.advance(100);
  const results = await Promise.allSettled(all);
  expect(results.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(500);
  expect(cache.snapshot()).toMatchObject({ loading: 0, writing: 0 });
  expect(cache.snapshot().size).toBeLessThanOrEqual(20);
  expect(clock.sleeping).toBe(0);
  expect(remote.snapshot()).toMatchObject({ sessions: 1, leases: 0 });
  await cache.close();
  expect(remote.snapshot()).toMatchObject({ sessions: 0 });
});

it('one bad key of many starts nothing that is not ended', async () => {
  const { cache } = manualCache<string | object, string>({ remote: memoryTier(), load: async () => 'x' });
  await expect(cache.getMany(['a', {}, 'b'])).rejects.toThrow('`keyOf` is needed');
  await settle();
  expect(cache.snapshot()).toMatchObject({ loading: 0, loads: 0 });
  expect(await cache.get('a')).toBe('x');
});
