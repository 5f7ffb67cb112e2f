import { stat } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { withDeadline } from '../../src/index.ts';
import { ManualClock } from '../../src/testing.ts';

const late = () => new Error('late');
const never = new Promise<never>(() => {});

describe('withDeadline', () => {
  it('settles as the work does, also when it throws at once', async () => {
    await expect(withDeadline({ late, timeoutMs: 1_000 }, async () => 1)).resolves.toBe(1);
    await expect(withDeadline({ late }, () => 2)).resolves.toBe(2);
    const failing = withDeadline({ late, timeoutMs: 1_000 }, () => {
      throw new Error('thrown');
    });
    await expect(failing).rejects.toThrow('thrown');
  });

  it('takes an answer that came in time while the event loop stood still', async () => {
    // After this, timers are what comes next in the event loop, before I/O
    await new Promise(resolve => setImmediate(resolve));
    const call = withDeadline({ late, timeoutMs: 50 }, () => stat(import.meta.dirname));
    const until = performance.now() + 200;
    while (performance.now() < until);
    expect((await call).isDirectory()).toBe(true);
  });

  it('rejects in time, and aborts the signal of the work first', async () => {
    const clock = new ManualClock();
    let seen: unknown;
    const call = withDeadline({ late, timeoutMs: 10, clock }, signal => {
      signal.addEventListener('abort', () => {
        seen = signal.reason;
      });
      return never;
    });
    const checked = expect(call.finally(() => expect(seen).toEqual(new Error('late')))).rejects.toThrow(
      'late',
    );
    await clock.advance(9);
    expect(seen).toBeUndefined();
    await clock.advance(1);
    await checked;
    expect(clock.sleeping).toBe(0);
  });

  it('rejects with the reason of the signal, and leaves no timer', async () => {
    const clock = new ManualClock();
    const controller = new AbortController();
    const call = withDeadline({ late, timeoutMs: 10, clock, signal: controller.signal }, () => never);
    controller.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    expect(clock.sleeping).toBe(0);
  });

  it('does not begin when the signal has aborted', async () => {
    let begun = false;
    const call = withDeadline({ late, signal: AbortSignal.abort(new Error('before')) }, () => {
      begun = true;
    });
    await expect(call).rejects.toThrow('before');
    expect(begun).toBe(false);
  });

  it('leaves no timer behind work that settles, and drops what comes after the end', async () => {
    const clock = new ManualClock();
    await withDeadline({ late, timeoutMs: 10, clock }, () => 1);
    expect(clock.sleeping).toBe(0);
    let fail: (error: Error) => void = () => {};
    const call = withDeadline(
      { late, timeoutMs: 10, clock },
      () => new Promise((_, reject) => (fail = reject)),
    );
    const checked = expect(call).rejects.toThrow('late');
    await clock.advance(10);
    await checked;
    fail(new Error('dropped')); // an unhandled rejection would fail the run
    await new Promise(resolve => setImmediate(resolve));
  });

  it('rejects with what `late` or the clock throws', async () => {
    const clock = new ManualClock();
    const thrower = () => {
      throw new Error('no error to be had');
    };
    const call = withDeadline({ late: thrower, timeoutMs: 10, clock }, () => never);
    const checked = expect(call).rejects.toThrow('no error to be had');
    await clock.advance(10);
    await checked;
    const broken = { now: () => 0, sleep: () => Promise.reject(new Error('no clock')) };
    await expect(withDeadline({ late, timeoutMs: 10, clock: broken }, () => never)).rejects.toThrow(
      'no clock',
    );
  });

  it('has no limit without a time-out, or with Infinity', async () => {
    const clock = new ManualClock();
    const controller = new AbortController();
    const calls = [undefined, Number.POSITIVE_INFINITY].map(timeoutMs =>
      withDeadline({ late, timeoutMs, clock, signal: controller.signal }, () => never),
    );
    expect(clock.sleeping).toBe(0);
    controller.abort(new Error('enough'));
    for (const call of calls) await expect(call).rejects.toThrow('enough');
  });
});
