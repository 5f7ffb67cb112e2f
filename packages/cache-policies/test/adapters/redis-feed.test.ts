import { ManualClock } from '@ashlar/core/testing';
import { expect, it } from 'vitest';
import { ChangeFeed, type Position } from '../../src/tiers/change-feed.ts';
import { deferred, settle } from '../support/caches.ts';

function scene() {
  const clock = new ManualClock();
  const told: string[] = [];
  const feed = new ChangeFeed('me', 100, {
    invalidated: ({ keys }) => told.push(...keys),
    reset: reason => told.push(reason),
    connection: state => told.push(state),
  });
  const take = (sequence: number, name: string, epoch = 'epoch') =>
    feed.receive(JSON.stringify([epoch, sequence, 'other', 'keys', [name]]));
  /** A check whose steps are let through by hand. */
  const check = () => {
    const [begun, position, caughtUp] = [deferred<void>(), deferred<Position>(), deferred<void>()];
    const done = feed.check({
      now: () => clock.now(),
      begin: () => begun.promise,
      ask: () => position.promise,
      caughtUp: () => caughtUp.promise,
    });
    const answer = async (sequence: number, epoch = 'epoch') => {
      position.resolve({ epoch, sequence });
      await settle();
    };
    return { begun, answer, caughtUp, done };
  };
  const pass = async (sequence: number, epoch?: string) => {
    const { begun, answer, caughtUp, done } = check();
    begun.resolve();
    await answer(sequence, epoch);
    caughtUp.resolve();
    await done;
  };
  return { clock, told, feed, take, check, pass };
}

it('confirms from the sending of the question, however long the answer took', async () => {
  const { clock, feed, check, pass } = scene();
  await pass(0);
  expect(feed.confirmedUntil).toBe(100);
  await clock.advance(10);
  const { answer, caughtUp, done } = check();
  await clock.advance(1_000); // stopped
  await answer(0);
  caughtUp.resolve();
  await done;
  expect(feed.confirmedUntil).toBe(110);
});

it.each(['begun', 'answered', 'caught up'] as const)(
  'confirms nothing when a connection was lost before it had %s',
  async step => {
    const { told, feed, check } = scene();
    const { begun, answer, caughtUp, done } = check();
    const lose = () => feed.disconnected(new Error('lost'));
    if (step === 'begun') lose();
    begun.resolve();
    await settle();
    if (step === 'answered') lose();
    await answer(5);
    if (step === 'caught up') lose();
    caughtUp.resolve();
    await done;
    expect(told).toEqual(['disconnected']);
    expect(feed.confirmedUntil).toBe(Number.NEGATIVE_INFINITY);
  },
);

it('takes what is told while it begins, and resets before it confirms', async () => {
  const { told, feed, take, check } = scene();
  const { begun, answer, caughtUp, done } = check();
  begun.resolve();
  await answer(5);
  take(6, 'a');
  expect(told).toEqual(['a']);
  caughtUp.resolve();
  await done;
  expect(told).toEqual(['a', 'reconnected', 'connected']);
  take(7, 'b');
  expect([told.at(-1), feed.sequence]).toEqual(['b', 7]);
});

it('resets for what the server counted and it did not hear, and for another history', async () => {
  const { told, feed, take, pass } = scene();
  await pass(5);
  told.length = 0;
  await pass(6);
  take(8, 'gap');
  await pass(1, 'another');
  take(2, 'next', 'another');
  take(1, 'new', 'third');
  take(1, 'again', 'third');
  expect(told).toEqual(['missed', 'missed', 'gap', 'emptied', 'next', 'emptied', 'new']);
  expect(feed.connected).toBe(true);
});
