import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it } from 'vitest';
import { closedLoop, OverloadError, openLoop } from '../src/load/pace.ts';

const never = new AbortController().signal;

/** Requests that end when the test says so. */
function pending() {
  const sent: { index: number; dueMs: number; end(): void }[] = [];
  const send = (index: number, dueMs: number) =>
    new Promise<void>(resolve => {
      sent.push({ index, dueMs, end: resolve });
    });
  return { sent, send };
}

describe('openLoop', () => {
  it('starts requests on time whatever the answers take, and waits for the last of them', async () => {
    const clock = new ManualClock(500);
    const { sent, send } = pending();
    let ended = false;
    const options = { requests: 20, rate: 100, maxOpen: 20, clock, signal: never, send };
    const loop = openLoop(options).then(() => {
      ended = true;
    });
    await clock.advance(95);
    expect(sent.map(({ dueMs }) => dueMs)).toEqual([500, 510, 520, 530, 540, 550, 560, 570, 580, 590]);
    await clock.advance(1_000);
    expect(sent).toHaveLength(20);
    expect(ended).toBe(false);
    for (const { end } of sent) end();
    await loop;
  });

  it('gives late requests the time when they were due', async () => {
    const clock = new ManualClock();
    const due: number[] = [];
    // The first request keeps the process from everything else for 100 ms, as a pause for garbage collection does.
    let stalled = clock.now();
    const stalling = { now: () => Math.max(clock.now(), stalled), sleep: clock.sleep.bind(clock) };
    const send = async (index: number, dueMs: number) => {
      if (index === 0) stalled = 100;
      due.push(dueMs);
    };
    const loop = openLoop({ requests: 10, rate: 100, maxOpen: 10, clock: stalling, signal: never, send });
    await clock.advance(0);
    await loop;
    expect(due).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
  });

  it('gives up when too many are open', async () => {
    const clock = new ManualClock();
    const { sent, send } = pending();
    const loop = openLoop({ requests: 100, rate: 1_000, maxOpen: 5, clock, signal: never, send });
    const failed = expect(loop).rejects.toThrow(OverloadError);
    await clock.advance(50);
    await failed;
    expect(sent).toHaveLength(5);
  });

  it('ends with the reason of an abort, while it waits for the next request or the last answer', async () => {
    for (const afterMs of [5, 5_000]) {
      const clock = new ManualClock();
      const stop = new AbortController();
      const loop = openLoop({
        requests: 3,
        rate: 100,
        maxOpen: 5,
        clock,
        signal: stop.signal,
        send: pending().send,
      });
      const failed = expect(loop).rejects.toBe('enough');
      await clock.advance(afterMs);
      stop.abort('enough');
      await failed;
    }
  });
});

describe('closedLoop', () => {
  it.each([1, 3, 50])('keeps %i open, in order', async concurrency => {
    const order: number[] = [];
    let open = 0;
    let most = 0;
    const send = async (index: number) => {
      order.push(index);
      most = Math.max(most, ++open);
      await new Promise(resolve => setImmediate(resolve));
      open--;
    };
    await closedLoop({ requests: 20, concurrency, clock: new ManualClock(), signal: never, send });
    expect(order).toEqual(Array.from({ length: 20 }, (_, index) => index));
    expect(most).toBe(Math.min(20, concurrency));
  });

  it('ends with the reason of an abort', async () => {
    const stop = new AbortController();
    const options = { requests: 2, concurrency: 1, clock: new ManualClock(), signal: stop.signal };
    const loop = closedLoop({ ...options, send: pending().send });
    stop.abort('enough');
    await expect(loop).rejects.toBe('enough');
  });
});
