import { seededRandom } from '@ashlar/core';
import { ManualClock } from '@ashlar/core/testing';
import { createCache } from 'cache-manager';
import Keyv from 'keyv';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { keyvStore } from '../../src/adapters/keyv.ts';
import { memoryTier } from '../../src/index.ts';
import { manualCache } from '../support/caches.ts';

// Keyv reads the time of the machine
afterEach(() => void vi.useRealTimers());

/** cache-manager over a cache of this package, and over its own store, on one clock. */
function both(shared: boolean) {
  vi.useFakeTimers({ toFake: ['Date'], now: 1_000_000 });
  const clock = new ManualClock();
  const remote = shared ? { remote: memoryTier({ clock }) } : {};
  const { cache } = manualCache<string, unknown>({ clock, ...remote });
  const store = new Keyv({ store: keyvStore(cache) });
  store.serialize = undefined;
  store.deserialize = undefined;
  const advance = async (ms: number) => {
    vi.setSystemTime(Date.now() + ms);
    await clock.advance(ms);
  };
  return {
    ours: createCache({ stores: [store], ttl: 51 }),
    theirs: createCache({ ttl: 51 }),
    cache,
    advance,
  };
}

describe('cache-manager over a cache', () => {
  it.each([false, true])('does what it does over its own store (shared tier: %s)', async shared => {
    const { ours, theirs, cache, advance } = both(shared);
    const events: string[][] = [[], []];
    for (const [i, one] of [ours, theirs].entries()) {
      for (const event of ['get', 'set', 'mset', 'del', 'clear'] as const)
        one.on(event, () => void events[i]!.push(event));
    }
    const random = seededRandom(5);
    // times are odd and steps are even: just when a time is over, Keyv still has the value and a cache has not
    let hits = 0;
    for (let step = 0; step < 1_000; step++) {
      const [key, other] = [`k${Math.floor(12 * random())}`, `k${Math.floor(12 * random())}`];
      const act = Math.floor(20 * random());
      const does = async (one: typeof ours): Promise<unknown> => {
        if (act < 5) return one.get(key);
        if (act < 8) return one.set(key, { step });
        if (act < 9) return one.set(key, [step], 7);
        if (act < 11) return one.mget([key, other]);
        if (act < 12)
          return one.mset<unknown>([
            { key, value: step },
            { key: other, value: { step }, ttl: 21 },
          ]);
        if (act < 14) return one.del(key);
        if (act < 15) return one.mdel([key, other]);
        if (act < 19) return one.wrap(key, async () => ({ wrapped: step }), 15);
        return step % 7 === 0 ? one.clear() : one.ttl(key);
      };
      const answer = await does(ours);
      expect(answer, `step ${step}, act ${act}`).toEqual(await does(theirs));
      if (act < 5 && answer !== undefined) hits++;
      if (random() < 0.3) await advance(2 * Math.floor(5 * random()));
    }
    expect(events[0]).toEqual(events[1]);
    expect(hits).toBeGreaterThan(50);
    await ours.disconnect();
    expect(cache.snapshot().closed).toBe(true);
  });

  it('calls what it wraps once, for all who wait', async () => {
    const { ours } = both(false);
    const work = vi.fn(async () => 'done');
    expect(await Promise.all([1, 2, 3].map(() => ours.wrap('a', work)))).toEqual(['done', 'done', 'done']);
    expect(work).toHaveBeenCalledOnce();
  });
});
