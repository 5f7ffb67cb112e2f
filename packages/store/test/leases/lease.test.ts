import { seededRandom } from '@ashlar/core';
import { ManualClock } from '@ashlar/core/testing';
import { expect, it } from 'vitest';
import { Lease, LeaseLostError, type MemoryStore, memoryStore, type Store } from '../../src/index.ts';
import { ending, intercepted, outage } from '../support/stores.ts';

const ttlMs = 3_000;
/** Of the lease before the store's end of the claim: a twentieth. */
const marginMs = 150;

function bench(): { clock: ManualClock; store: MemoryStore; options: Parameters<typeof Lease.acquire>[2] } {
  const clock = new ManualClock();
  const store = ending(memoryStore({ clock }));
  return { clock, store, options: { ttlMs, clock, random: () => 0.5 } };
}

it('is renewed after a third of its time, and keeps its token', async () => {
  const { clock, store, options } = bench();
  const sentAt: number[] = [];
  const counting = intercepted(store, {
    claim: (...args) => {
      sentAt.push(clock.now());
      return store.claim(...args);
    },
  });
  const lease = ending(await Lease.acquire(counting, 'name', options));
  const { token } = lease;
  await clock.advance(10 * ttlMs);
  expect(sentAt.slice(0, 4)).toEqual([0, 1_000, 2_000, 3_000]);
  lease.assertHeld();
  expect(lease.token).toBe(token);
  expect(lease.signal.aborted).toBe(false);
  expect(await store.claim('name', 'another', 1)).toBeUndefined();
  expect(lease.snapshot()).toEqual({
    lease: 'name',
    holder: lease.holder,
    token: String(token),
    state: 'held',
    remainingMs: ttlMs - marginMs,
  });
});

it('jitters its renewals by a tenth', async () => {
  const { clock, store, options } = bench();
  const sentAt: number[] = [];
  const counting = intercepted(store, {
    claim: (...args) => {
      sentAt.push(clock.now());
      return store.claim(...args);
    },
  });
  ending(await Lease.acquire(counting, 'name', { ...options, random: seededRandom(1) }));
  await clock.advance(100 * ttlMs);
  const gaps = sentAt.slice(1).map((at, index) => at - sentAt[index]!);
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(900);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(1_100);
  expect(new Set(gaps.map(Math.round)).size).toBeGreaterThan(50);
});

it('aborts its signal before another can hold the name, when no renewal succeeds', async () => {
  const { clock, store, options } = bench();
  let isDown = false;
  let failures = 0;
  const failing = intercepted(store, {
    claim: async (...args) => {
      if (!isDown) return store.claim(...args);
      failures++;
      throw outage();
    },
  });
  const lease = ending(await Lease.acquire(failing, 'name', options));
  await clock.advance(1_000);
  isDown = true;
  await clock.advance(1_000 + marginMs / 2);
  lease.assertHeld();
  isDown = false;
  await clock.advance(marginMs);
  isDown = true;
  const renewedAt = 2_150;
  await clock.advance(renewedAt + ttlMs - marginMs - clock.now() - 1);
  lease.assertHeld();
  expect(lease.signal.aborted).toBe(false);
  await clock.advance(1);
  expect(lease.signal.aborted).toBe(true);
  expect(lease.signal.reason).toBeInstanceOf(LeaseLostError);
  expect(lease.signal.reason).toMatchObject({ lease: 'name', token: lease.token, reason: 'expired' });
  expect(() => lease.assertHeld()).toThrow(LeaseLostError);
  expect(await store.claim('name', 'another', ttlMs)).toBeUndefined();
  await clock.advance(marginMs);
  const next = await store.claim('name', 'another', ttlMs);
  expect(next!.token).toBeGreaterThan(lease.token);
  expect(failures).toBeGreaterThan(10);
});

it('tells at once after a stall that it is over, before its signal had a chance', async () => {
  const { clock, store } = bench();
  let stalledMs = 0;
  const stalling = {
    now: () => clock.now() + stalledMs,
    sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms, signal),
  };
  const lease = ending(await Lease.acquire(store, 'name', { ttlMs, clock: stalling }));
  stalledMs = ttlMs - marginMs - 1;
  lease.assertHeld();
  stalledMs++;
  expect(lease.signal.aborted).toBe(false);
  expect(() => lease.assertHeld()).toThrow('no renewal was confirmed in time');
  expect(lease.signal.aborted).toBe(true);
});

it('is lost when the store says that the claim is gone, and leaves nothing taken', async () => {
  const { clock, store, options } = bench();
  const lease = ending(await Lease.acquire(store, 'name', options));
  await store.release('name', lease.token);
  await clock.advance(1_000);
  expect(lease.signal.reason).toMatchObject({ reason: 'taken' });
  const next = await store.claim('name', 'another', ttlMs);
  expect(next!.token).toBeGreaterThan(lease.token);

  const other = ending(await Lease.acquire(store, 'other', options));
  await store.release('other', other.token);
  await store.claim('other', 'another', ttlMs);
  await clock.advance(1_000);
  expect(() => other.assertHeld()).toThrow('its claim has ended in the store');
});

it('counts the time from when the question was sent', async () => {
  const { clock, store, options } = bench();
  const slow = intercepted(store, {
    claim: async (...args) => {
      const claim = await store.claim(...args);
      await clock.sleep(500);
      return claim;
    },
  });
  const acquiring = Lease.tryAcquire(slow, 'name', options);
  await clock.advance(500);
  const lease = ending((await acquiring)!);
  expect(lease.snapshot().remainingMs).toBe(ttlMs - marginMs - 500);
  await clock.advance(1_500);
  expect(lease.snapshot().remainingMs).toBe(ttlMs - marginMs - 500);
  await clock.advance(20 * ttlMs);
  lease.assertHeld();
});

it('does not count an answer that comes too late to hold anything', async () => {
  const { clock, store, options } = bench();
  const slow = intercepted(store, {
    claim: async (...args) => {
      const claim = await store.claim(...args);
      await clock.sleep(ttlMs - marginMs);
      return claim;
    },
  });
  const acquiring = Lease.tryAcquire(slow, 'name', options);
  await clock.advance(ttlMs - marginMs);
  expect(await acquiring).toBeUndefined();
  expect(await store.claim('name', 'another', 1)).toBeDefined();
});

it('frees the name once, after a renewal that is under way', async () => {
  const { clock, store, options } = bench();
  const order: string[] = [];
  const slow = intercepted(store, {
    claim: async (...args) => {
      if (order.length > 0) await clock.sleep(200);
      order.push('claim');
      return store.claim(...args);
    },
    release: (...args) => {
      order.push('release');
      return store.release(...args);
    },
  });
  const lease = await Lease.acquire(slow, 'name', options);
  await clock.advance(1_100);
  const releases = [lease.release(), lease.release(), lease[Symbol.asyncDispose]()];
  expect(lease.signal.reason).toMatchObject({ reason: 'released' });
  expect(() => lease.assertHeld()).toThrow('it was released');
  await clock.advance(200);
  await Promise.all(releases);
  expect(order).toEqual(['claim', 'claim', 'release']);
  expect(await store.claim('name', 'another', 1)).toBeDefined();
  await lease.release();
});

it('says when it could not free the name, and can be asked again; disposing leaves it to its time', async () => {
  const { store, options } = bench();
  let isDown = true;
  const failing = intercepted(store, {
    release: async (...args) => {
      if (isDown) throw outage();
      return store.release(...args);
    },
  });
  const lease = await Lease.acquire(failing, 'name', options);
  await expect(lease.release()).rejects.toThrow('an outage of this test');
  await lease[Symbol.asyncDispose]();
  isDown = false;
  await lease.release();
  expect(await store.claim('name', 'another', 1)).toBeDefined();
});

it('does not hide its loss behind a release that the store does not confirm', async () => {
  const { clock, store, options } = bench();
  let isDown = false;
  const failing = intercepted(store, {
    claim: async (...args) => {
      if (isDown) throw outage();
      return store.claim(...args);
    },
    release: async (...args) => {
      if (isDown) throw outage();
      return store.release(...args);
    },
  });
  const lease = await Lease.acquire(failing, 'name', options);
  isDown = true;
  const working = (async () => {
    try {
      await clock.advance(2 * ttlMs);
      lease.assertHeld();
    } finally {
      await lease.release();
    }
  })();
  await expect(working).rejects.toThrow(LeaseLostError);
});

it('publishes on the diagnostics channels', async () => {
  const { clock, store, options } = bench();
  const { subscribe, unsubscribe } = await import('node:diagnostics_channel');
  const told: unknown[] = [];
  const listen = (message: unknown, name: string | symbol) => told.push([name, message]);
  const names = ['ashlar:store:lease-acquired', 'ashlar:store:lease-ended'];
  for (const name of names) subscribe(name, listen);
  const lease = await Lease.acquire(store, 'name', options);
  await clock.advance(10);
  await lease.release();
  for (const name of names) unsubscribe(name, listen);
  const { holder, token } = lease;
  expect(told).toEqual([
    [names[0], { lease: 'name', holder, token, waitedMs: 0 }],
    [names[1], { lease: 'name', holder, token, reason: 'released' }],
  ]);
});

it('refuses bad options', async () => {
  const { store } = bench();
  for (const [options, name] of [
    [{ ttlMs: 0 }, 'ttlMs'],
    [{ ttlMs: Number.NaN }, 'ttlMs'],
    [{}, 'ttlMs'],
    [{ ttlMs, ttl: 5 }, 'ttl'],
    [{ ttlMs, above: 5 }, 'above'],
    [{ ttlMs, retryMs: 0 }, 'retryMs'],
    [{ ttlMs, signal: {} }, 'signal'],
  ] as const) {
    await expect(Lease.acquire(store, 'name', options as never)).rejects.toMatchObject({ option: name });
  }
  await expect(Lease.acquire({} as Store, 'name', { ttlMs })).rejects.toMatchObject({ option: 'store' });
  await expect(Lease.acquire(store, '\ud800', { ttlMs })).rejects.toMatchObject({
    code: 'ASHLAR_STORE_INVALID_KEY',
  });
});
