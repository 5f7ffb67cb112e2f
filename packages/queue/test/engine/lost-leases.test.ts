import { ManualClock } from '@ashlar/core/testing';
import { expect, it, onTestFinished } from 'vitest';
import { DeliveryLostError, memoryDriver, messages, Queue } from '../../src/index.ts';

const leaseMs = 300;

/** A handler of one message, which runs until its signal aborts; how much later than `lose` is done that is. */
async function lateBy(
  atMs: number,
  lose: (queue: Queue<{ work: string }>, clock: ManualClock) => Promise<unknown>,
): Promise<number> {
  const clock = new ManualClock();
  const driver = memoryDriver({ clock, leaseMs });
  const queue = new Queue(driver, { messages: messages<{ work: string }>(), clock });
  onTestFinished(() => queue.close());
  const aborted: number[] = [];
  await queue.subscribe('work', async (_, { signal, attempt }) => {
    if (attempt > 1) return;
    await clock.sleep(60_000, signal).catch(error => {
      expect(error).toBeInstanceOf(DeliveryLostError);
      aborted.push(clock.now());
    });
  });
  // Beats go by the subscription, and messages come at any time between them
  await clock.advance(atMs % 37);
  await queue.publish('work', 'x', { id: 'job' });
  await clock.advance(atMs);
  expect(aborted).toEqual([]);
  await lose(queue, clock);
  const lostAt = clock.now();
  await clock.advance(10_000);
  expect(aborted).toHaveLength(1);
  return aborted[0]! - lostAt;
}

it('the signal of a handler aborts within a third of a lease when its message is taken away', async () => {
  for (let atMs = 1; atMs < 3 * leaseMs; atMs += 13) {
    expect(await lateBy(atMs, queue => queue.cancel('work', 'job'))).toBeLessThanOrEqual(leaseMs / 3);
  }
});

it('the signal of a handler aborts within a third of a lease after the event loop stood still past it', async () => {
  const stall = async (_: unknown, clock: ManualClock) => {
    // Nothing of this process runs meanwhile
    const until = clock.now() + 2 * leaseMs;
    clock.now = () => Math.max(until, ManualClock.prototype.now.call(clock));
  };
  for (let atMs = 1; atMs < 3 * leaseMs; atMs += 13) {
    expect(await lateBy(atMs, stall)).toBeLessThanOrEqual(leaseMs / 3);
  }
});
