import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Clock, seededRandom, systemClock } from '../../src/index.ts';
import { ManualClock } from '../../src/testing.ts';

describe('seededRandom', () => {
  it('repeats itself for one seed, differs for another, and fills [0, 1) evenly', () => {
    const [a, b, c] = [seededRandom(7), seededRandom(7), seededRandom(8)];
    const draws = Array.from({ length: 10_000 }, () => a());
    expect(draws.slice(0, 50)).toEqual(Array.from({ length: 50 }, () => b()));
    expect(draws[0]).not.toBe(c());
    const tenths = Array.from({ length: 10 }, (_, i) => draws.filter(x => Math.floor(x * 10) === i).length);
    expect(Math.min(...tenths)).toBeGreaterThan(900);
    expect(Math.max(...tenths)).toBeLessThan(1100);
  });
});

describe('systemClock', () => {
  it('does not go back', () => {
    const before = systemClock.now();
    expect(systemClock.now()).toBeGreaterThanOrEqual(before);
  });

  // Each in a module of its own, as the clock may be used or loaded first under fake timers
  const fresh = async () => {
    vi.resetModules();
    const { systemClock } = await import('../../src/time/clock.ts');
    return systemClock;
  };
  const passes = async (clock: Clock) => {
    const before = clock.now();
    await new Promise(resolve => setTimeout(resolve, 2));
    expect(clock.now()).toBeGreaterThan(before);
  };
  const follows = async (clock: Clock) => {
    const before = clock.now();
    await vi.advanceTimersByTimeAsync(150);
    expect(clock.now()).toBe(before + 150);
  };
  afterEach(() => void vi.useRealTimers());

  it('goes by fake timers as long as they are there, when it was used before', async () => {
    const clock = await fresh();
    await passes(clock);
    vi.useFakeTimers();
    await follows(clock);
    vi.useRealTimers();
    await passes(clock);
  });

  it('goes on in real time when it was first used under fake timers', async () => {
    const clock = await fresh();
    vi.useFakeTimers();
    await follows(clock);
    vi.useRealTimers();
    await passes(clock);
    vi.useFakeTimers();
    await follows(clock);
  });

  it('goes on in real time when it was loaded under fake timers', async () => {
    vi.useFakeTimers();
    const clock = await fresh();
    await follows(clock);
    vi.useRealTimers();
    await passes(clock);
  });
});

describe('ManualClock', () => {
  it('wakes sleepers in order, those that sleep again included', async () => {
    const clock = new ManualClock(100);
    const log: string[] = [];
    const nap = async (name: string, ms: number, times: number) => {
      for (let i = 0; i < times; i++) {
        await clock.sleep(ms);
        log.push(`${name}@${clock.now()}`);
      }
    };
    void nap('slow', 25, 1);
    void nap('quick', 10, 3);
    await clock.advance(29);
    expect(log).toEqual(['quick@110', 'quick@120', 'slow@125']);
    expect(clock.now()).toBe(129);
    await clock.advance(1);
    expect(log.at(-1)).toBe('quick@130');
    expect(clock.sleeping).toBe(0);
  });

  it('lets an abort end a sleep', async () => {
    const clock = new ManualClock();
    const controller = new AbortController();
    const sleeping = clock.sleep(10, controller.signal);
    controller.abort('stop');
    await expect(sleeping).rejects.toBe('stop');
    await expect(clock.sleep(10, controller.signal)).rejects.toBe('stop');
    expect(clock.sleeping).toBe(0);
  });
});
