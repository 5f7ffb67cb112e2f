import assert from 'node:assert/strict';
import { seededRandom } from '@ashlar/core';
import { ManualClock } from '@ashlar/core/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Fence, Lease, memoryStore, StaleTokenError, type Store } from '../../src/index.ts';
import { ending, intercepted, outage } from '../support/stores.ts';

it('waits until the name is free', async () => {
  const clock = new ManualClock();
  const store = ending(memoryStore({ clock }));
  const first = await Lease.acquire(store, 'name', { ttlMs: 1_000, clock });
  expect(await Lease.tryAcquire(store, 'name', { ttlMs: 1_000, clock })).toBeUndefined();
  let second: Lease | undefined;
  const waiting = Lease.acquire(store, 'name', { ttlMs: 1_000, clock }).then(lease => {
    second = lease;
  });
  await clock.advance(10_000);
  expect(second).toBeUndefined();
  await first.release();
  await clock.advance(150);
  await waiting;
  expect(second!.token).toBeGreaterThan(first.token);
  await second!.release();
});

it('asks again at intervals that differ', async () => {
  const clock = new ManualClock();
  const store = ending(memoryStore({ clock }));
  await store.claim('name', 'another', 100_000);
  const askedAt: number[] = [];
  const counting = intercepted(store, {
    claim: (...args) => {
      askedAt.push(clock.now());
      return store.claim(...args);
    },
  });
  const controller = new AbortController();
  const waiting = Lease.acquire(counting, 'name', {
    ttlMs: 1_000,
    retryMs: 100,
    clock,
    random: seededRandom(3),
    signal: controller.signal,
  });
  waiting.catch(() => {});
  await clock.advance(10_000);
  controller.abort();
  await expect(waiting).rejects.toThrow(controller.signal.reason);
  const gaps = askedAt.slice(1).map((at, index) => at - askedAt[index]!);
  expect(gaps.length).toBeGreaterThan(80);
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(50);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(150);
});

it('leaves nothing taken when it is aborted while a claim is under way', async () => {
  const clock = new ManualClock();
  const store = ending(memoryStore({ clock }));
  const slow = intercepted(store, {
    claim: async (...args) => {
      const claim = await store.claim(...args);
      await clock.sleep(50);
      return claim;
    },
  });
  const controller = new AbortController();
  const waiting = Lease.acquire(slow, 'name', { ttlMs: 60_000, clock, signal: controller.signal });
  waiting.catch(() => {});
  await clock.advance(20);
  controller.abort();
  await expect(waiting).rejects.toThrow(controller.signal.reason);
  await clock.advance(40);
  expect(await store.claim('name', 'another', 1)).toBeDefined();
  const aborted = Lease.acquire(store, 'name', { ttlMs: 1_000, signal: AbortSignal.abort('enough') });
  await expect(aborted).rejects.toBe('enough');
});

it('fails when the store cannot be asked at first, and waits out an outage later', async () => {
  const clock = new ManualClock();
  const store = ending(memoryStore({ clock }));
  let isDown = true;
  const failing = intercepted(store, {
    claim: async (...args) => {
      if (isDown) throw outage();
      return store.claim(...args);
    },
  });
  const options = { ttlMs: 1_000, clock };
  await expect(Lease.acquire(failing, 'name', options)).rejects.toThrow('an outage of this test');
  await expect(Lease.tryAcquire(failing, 'name', options)).rejects.toThrow('an outage of this test');
  isDown = false;
  const claim = await store.claim('name', 'another', 5_000);
  const waiting = Lease.acquire(failing, 'name', options);
  await clock.advance(500);
  isDown = true;
  await clock.advance(10_000);
  isDown = false;
  await clock.advance(200);
  expect((await waiting).token).toBeGreaterThan(claim!.token);
  await (await waiting).release();
});

it('gets a token above the one that a sink has seen', async () => {
  const clock = new ManualClock();
  const [forgotten, store] = [ending(memoryStore({ clock })), ending(memoryStore({ clock }))];
  const fence = new Fence('the sink');
  const options = { ttlMs: 1_000, clock };
  const old = await forgotten.claim('name', 'of a lost history', 1_000, { above: 1_000_000_000n });
  fence.admit({ token: old!.token, holder: 'of a lost history' });
  const lease = await Lease.acquire(store, 'name', options);
  const refused = await Promise.resolve()
    .then(() => fence.admit(lease))
    .catch((error: unknown) => error as StaleTokenError);
  assert(refused instanceof StaleTokenError);
  expect(refused.presented).toEqual({ token: lease.token, holder: lease.holder });
  await lease.release();
  const again = await Lease.acquire(store, 'name', { ...options, above: refused.seen.token });
  expect(again.token).toBeGreaterThan(old!.token);
  fence.admit(again);
  await again.release();
});

it('never two hold it, whatever the store delays and loses', async () => {
  const one = fc.asyncProperty(fc.integer(), async seed => {
    const clock = new ManualClock();
    const random = seededRandom(seed);
    const store = memoryStore({ clock });
    const between = async () => clock.sleep(random() < 0.6 ? 80 + random() * 100 : 3);
    const fence = new Fence();
    const held = new Set<Lease>();
    let [last, terms, overlaps] = [0n, 0, 0];
    /** Answers are late or lost, and from time to time there are none for longer than the lease. */
    const unreliable = (): Store => {
      let downUntil = 0;
      return intercepted(store, {
        claim: async (...args) => {
          if (random() < 0.2) downUntil = clock.now() + random() * 600;
          if (clock.now() < downUntil) throw outage();
          const claim = await store.claim(...args);
          if (claim !== undefined && claim.token > last) {
            last = claim.token;
            for (const lease of held) overlaps += lease.snapshot().state === 'held' ? 1 : 0;
          }
          await between();
          if (random() < 0.1) throw outage();
          return claim;
        },
      });
    };
    const stop = new AbortController();
    const contend = async (): Promise<void> => {
      const through = unreliable();
      while (!stop.signal.aborted) {
        try {
          const lease = await Lease.acquire(through, 'name', {
            ttlMs: 300,
            clock,
            random,
            signal: stop.signal,
          });
          terms++;
          held.add(lease);
          const until = clock.now() + (random() < 0.7 ? 1_000 : 0);
          while (clock.now() < until && !lease.signal.aborted) await clock.sleep(40);
          if (!lease.signal.aborted) fence.admit(lease);
          held.delete(lease);
          await lease[Symbol.asyncDispose]();
        } catch {
          await clock.sleep(10);
        }
      }
    };
    const contending = [contend(), contend(), contend()];
    await clock.advance(3_000);
    expect(overlaps).toBe(0);
    expect(terms).toBeGreaterThan(1);
    stop.abort();
    let isOver = false;
    const over = Promise.all(contending).then(() => {
      isOver = true;
    });
    for (let step = 0; step < 100 && !isOver; step++) await clock.advance(100);
    await over;
    await store.close();
  });
  await fc.assert(one, { numRuns: 5, seed: 7, endOnFailure: true });
});
