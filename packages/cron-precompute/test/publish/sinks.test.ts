import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Cache } from '@ashlar/cache-policies';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Pointer } from '../../src/publish/pointer.ts';
import { Vault } from '../../src/publish/vault.ts';
import { preparedOf, uniform } from '../support/prepared.ts';
import { ending, minuteMs, site } from '../support/site.ts';

it('a cache of cache-policies is warm in one line, and forgets what is gone', async () => {
  const place = site();
  const cache = ending(new Cache<string, number>({ max: 1_000 }));
  let keys = ['a', 'b'];
  const { best } = preparedOf<number>(place, () => keys.map(key => [key, 1] as const), { sinks: [cache] });
  await best.start();
  await place.clock.advance(minuteMs);
  const load = async () => -1;
  expect(await Promise.all(['a', 'b', 'c'].map(key => cache.get(key, load)))).toEqual([1, 1, -1]);
  keys = ['b'];
  await place.clock.advance(minuteMs);
  expect(await Promise.all(['a', 'b'].map(key => cache.get(key, load)))).toEqual([-1, 1]);
});

describe('a sink that is being filled', () => {
  /** Fills 250 entries; before the hundred and first, the pointer changes. What the sink was given, and what is told. */
  async function filled(
    change: (pointer: Pointer) => Pointer,
  ): Promise<{ written: number; failures: unknown[] }> {
    const place = site();
    let written = 0;
    const failures: unknown[] = [];
    const listen = (message: unknown) => failures.push((message as { readonly error: unknown }).error);
    subscribe('ashlar:cron-precompute:sink-failed', listen);
    onTestFinished(() => void unsubscribe('ashlar:cron-precompute:sink-failed', listen));
    const vault = new Vault(place.store, 'best');
    const { best } = preparedOf(
      place,
      uniform(250, () => 1),
      {
        sinks: [
          {
            async set() {
              if (++written === 100) await vault.update(change);
            },
          },
        ],
      },
    );
    await best.start();
    await place.clock.advance(minuteMs);
    expect((await best.history())[0]).toMatchObject({ status: 'succeeded' });
    return { written, failures };
  }

  it('has all of the version that is served', async () => {
    expect(await filled(pointer => pointer)).toEqual({ written: 250, failures: [] });
  });

  it('gets no more once another version is served, as after a rollback', async () => {
    const { written, failures } = await filled(pointer => ({ ...pointer, current: 0 }));
    expect(written).toBe(100);
    expect(failures).toMatchObject([{ code: 'ASHLAR_CRON_PRECOMPUTE_SUPERSEDED' }]);
  });

  it('gets no more once a newer attempt has begun, which this process has not heard of', async () => {
    const fence = { token: String(Number.MAX_SAFE_INTEGER), holder: 'another' };
    const { written, failures } = await filled(pointer => ({ ...pointer, fence }));
    expect(written).toBe(100);
    expect(failures).toMatchObject([{ code: 'ASHLAR_CRON_PRECOMPUTE_RUN_FENCED' }]);
  });
});
