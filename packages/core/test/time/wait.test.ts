import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { abortable, backgroundClock, sleep } from '../../src/index.ts';

const day = 24 * 3600 * 1000;

describe('sleep', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('waits its time, also beyond what one timer can', async () => {
    const woke = vi.fn();
    const sleeping = sleep(30 * day).then(woke);
    await vi.advanceTimersByTimeAsync(30 * day - 1);
    expect(woke).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    await sleeping;
    expect(woke).toHaveBeenCalledOnce();
  });

  it('rejects with the reason of an abort, before and during, and leaves no timer', async () => {
    await expect(sleep(1000, AbortSignal.abort('early'))).rejects.toBe('early');
    const controller = new AbortController();
    const sleeping = sleep(60 * day, controller.signal);
    controller.abort('late');
    await expect(sleeping).rejects.toBe('late');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('takes its listener off the signal when it ends', async () => {
    const { signal } = new AbortController();
    const removed = vi.spyOn(signal, 'removeEventListener');
    const sleeping = sleep(5, signal);
    await vi.advanceTimersByTimeAsync(5);
    await sleeping;
    expect(removed).toHaveBeenCalledOnce();
  });
});

describe('a sleep in the background', () => {
  it('wakes, and does not keep the process alive', async () => {
    const timers = () => process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length;
    const before = timers();
    const controller = new AbortController();
    const [held, background] = [false, true].map(background => sleep(day, controller.signal, background));
    expect(timers()).toBe(before + 1);
    controller.abort('enough');
    await expect(held).rejects.toBe('enough');
    await expect(background).rejects.toBe('enough');
    await backgroundClock.sleep(1);
    expect(timers()).toBe(before);
  });
});

describe('abortable', () => {
  it('settles as the work does', async () => {
    const { signal } = new AbortController();
    await expect(abortable(Promise.resolve(1))).resolves.toBe(1);
    await expect(abortable(Promise.resolve(1), signal)).resolves.toBe(1);
    await expect(abortable(Promise.reject(new Error('no')), signal)).rejects.toThrow('no');
  });

  it('rejects at the abort and drops a later error of the work', async () => {
    const controller = new AbortController();
    let fail: (error: Error) => void = () => {};
    const work = new Promise<void>((_, reject) => {
      fail = reject;
    });
    const waiting = abortable(work, controller.signal);
    controller.abort('enough');
    await expect(waiting).rejects.toBe('enough');
    fail(new Error('after the fact'));
    await expect(abortable(Promise.reject(new Error('x')), AbortSignal.abort('before'))).rejects.toBe(
      'before',
    );
  });
});
