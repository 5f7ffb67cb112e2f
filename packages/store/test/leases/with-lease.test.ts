import { ManualClock } from '@ashlar/core/testing';
import { expect, it } from 'vitest';
import {
  getJson,
  LeaseLostError,
  type MemoryStore,
  memoryStore,
  oncePer,
  StoreUnavailableError,
  withLease,
} from '../../src/index.ts';
import { ending, intercepted, outage } from '../support/stores.ts';

const ttlMs = 3_000;

function bench(): { clock: ManualClock; store: MemoryStore; options: { ttlMs: number; clock: ManualClock } } {
  const clock = new ManualClock();
  return { clock, store: ending(memoryStore({ clock })), options: { ttlMs, clock } };
}

it('works under the lease, one at a time, and frees the name whatever the work does', async () => {
  const { clock, store, options } = bench();
  let working = 0;
  const tokens: bigint[] = [];
  const calls = Array.from({ length: 5 }, (_, index) =>
    withLease(store, 'name', options, async lease => {
      expect(++working).toBe(1);
      tokens.push(lease.token);
      await clock.sleep(500);
      working--;
      if (index === 2) throw new RangeError('from the work');
      return index;
    }),
  );
  const settled = Promise.allSettled(calls);
  await clock.advance(20_000);
  const results = await settled;
  expect(results.map(one => (one.status === 'fulfilled' ? one.value : one.reason.message))).toEqual([
    0,
    1,
    'from the work',
    3,
    4,
  ]);
  expect(tokens).toEqual([...tokens].sort((a, b) => (a < b ? -1 : 1)));
  expect(await store.claim('name', 'another', 1)).toBeDefined();
});

it('rejects with the loss of the lease, also when the work did not notice it', async () => {
  const { clock, store, options } = bench();
  const losing = withLease(store, 'name', options, async lease => {
    await store.release('name', lease.token);
    await clock.sleep(2_000);
    return 'done';
  });
  losing.catch(() => {});
  await clock.advance(2_000);
  await expect(losing).rejects.toThrow(LeaseLostError);
});

it('ends its wait with the signal', async () => {
  const { store, options } = bench();
  await store.claim('name', 'another', 60_000);
  const controller = new AbortController();
  const waiting = withLease(store, 'name', { ...options, signal: controller.signal }, () => expect.fail());
  controller.abort();
  await expect(waiting).rejects.toBe(controller.signal.reason);
});

it('does the work once in a period, however many call it at once and later', async () => {
  const { clock, store, options } = bench();
  let runs = 0;
  const call = () =>
    oncePer(store, 'report', { ...options, periodMs: 60_000 }, async () => {
      runs++;
      await clock.sleep(500);
      return 'written';
    });
  const calls = Promise.all(Array.from({ length: 10 }, call));
  await clock.advance(10_000);
  const results = await calls;
  expect(results.filter(({ ran }) => ran)).toEqual([{ ran: true, result: 'written' }]);
  expect(await call()).toEqual({ ran: false });
  expect(runs).toBe(1);
  await clock.advance(60_000);
  const again = call();
  await clock.advance(1_000);
  expect(await again).toEqual({ ran: true, result: 'written' });
  expect(runs).toBe(2);
});

it('does the work once for each key, and remembers it for a week', async () => {
  const { clock, store, options } = bench();
  const days: string[] = [];
  const call = (key: string) => oncePer(store, 'report', { ...options, key }, () => days.push(key));
  for (const day of ['2026-11-27', '2026-11-28', '2026-11-27', '2026-11-28']) await call(day);
  expect(days).toEqual(['2026-11-27', '2026-11-28']);
  expect(await getJson(store, 'once:"report":2026-11-27')).toMatchObject({
    value: { token: expect.stringMatching(/^\d+$/), holder: expect.any(String) },
  });
  await clock.advance(7 * 86_400_000 - 1);
  await call('2026-11-28');
  await clock.advance(1);
  await call('2026-11-28');
  expect(days).toEqual(['2026-11-27', '2026-11-28', '2026-11-28']);
});

it('does the work again when it failed, when its lease was lost, or when that it is done was not stored', async () => {
  const { clock, store, options } = bench();
  const period = { ...options, periodMs: 60_000 };
  const failing = oncePer(store, 'report', period, () => {
    throw new RangeError('from the work');
  });
  await expect(failing).rejects.toThrow(RangeError);
  const losing = oncePer(store, 'report', period, async lease => {
    await store.release('report', lease.token);
    await clock.sleep(2_000);
  });
  losing.catch(() => {});
  await clock.advance(2_000);
  await expect(losing).rejects.toThrow(LeaseLostError);
  const forgetful = intercepted(store, {
    set: async () => {
      throw outage();
    },
  });
  await expect(oncePer(forgetful, 'report', period, () => {})).rejects.toThrow(StoreUnavailableError);
  expect(await oncePer(store, 'report', period, () => 'done')).toEqual({ ran: true, result: 'done' });
});

it('takes no work for done that has another name or another key, whatever signs are in them', async () => {
  const { store, options } = bench();
  const done: string[] = [];
  const calls: readonly (readonly [string, { key: string } | { periodMs: number }])[] = [
    ['mail', { key: 'a:b' }],
    ['mail:a', { key: 'b' }],
    ['mail:a:b', { periodMs: 60_000 }],
    ['mail":a', { key: 'b' }],
    ['mail', { key: '":a:b' }],
    ['mail', { key: 'a' }],
    ['mail:a', { periodMs: 60_000 }],
    ['mail', { periodMs: 60_000 }],
  ];
  for (const [name, which] of calls) {
    const label = JSON.stringify([name, which]);
    for (let time = 0; time < 2; time++)
      await oncePer(store, name, { ...options, ...which }, () => done.push(label));
  }
  expect(done).toEqual(calls.map(call => JSON.stringify(call)));
});

// redlock 369: a release that fails after the work took the place of the error of the work
it('tells of the work, not of the release, where the store was closed meanwhile', async () => {
  for (const ends of ['well', 'ill']) {
    const { store, options } = bench();
    const working = withLease(store, 'name', options, async () => {
      await store.close();
      if (ends === 'ill') throw new RangeError('from the work');
      return 'done';
    });
    if (ends === 'ill') await expect(working).rejects.toThrow('from the work');
    else expect(await working).toBe('done');
  }
  const { store, options } = bench();
  const failing = oncePer(store, 'name', { ...options, key: 'a' }, async () => {
    await store.close();
    throw new RangeError('from the work');
  });
  await expect(failing).rejects.toThrow('from the work');
});

it('takes over from a holder that died', async () => {
  const { clock, store, options } = bench();
  const dead = await store.claim('other', 'a process that died', ttlMs);
  const waiting = oncePer(store, 'other', { ...options, periodMs: 60_000 }, lease => lease.token);
  await clock.advance(2 * ttlMs);
  const taken = await waiting;
  expect(taken.ran && taken.result > dead!.token).toBe(true);
});
