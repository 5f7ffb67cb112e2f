import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aimd, gradient2, type LimitSample } from '../../src/index.ts';
import { ServedByModel } from './served.ts';

const samples = fc.array(
  fc.record({
    afterMs: fc.nat(300),
    latencyMs: fc.oneof(fc.nat(50), fc.nat(2_000)),
    inFlight: fc.integer({ min: 1, max: 60 }),
    dropped: fc.boolean(),
  }),
  { maxLength: 200 },
);

function timed(all: readonly (Omit<LimitSample, 'now'> & { readonly afterMs: number })[]): LimitSample[] {
  let now = 0;
  return all.map(({ afterMs, ...rest }) => {
    now += afterMs;
    return { now, ...rest };
  });
}

const settings = { initial: 20, min: 5, max: 60, windowMs: 500, windowSamples: 4, longWindow: 30 };

/** Gradient2 as Netflix describes it, reckoned anew from all samples. */
function gradient2Model(all: readonly LimitSample[]): number {
  let [limit, usual, windows, windowEndsAt] = [settings.initial, 0, 0, -Infinity];
  let window: LimitSample[] = [];
  for (const sample of all) {
    if (sample.dropped && (windows === 0 || sample.latencyMs < usual)) continue;
    window.push(sample);
    if (sample.now < windowEndsAt || window.length < settings.windowSamples) continue;
    windowEndsAt = sample.now + settings.windowMs;
    const short = window.reduce((sum, { latencyMs }) => sum + latencyMs, 0) / window.length;
    const inFlight = Math.max(...window.map(each => each.inFlight));
    window = [];
    windows++;
    const factor = 2 / (settings.longWindow + 1);
    usual = windows <= 10 ? (usual * (windows - 1) + short) / windows : usual * (1 - factor) + short * factor;
    const long = usual;
    if (long / short > 2) usual *= 0.95;
    if (inFlight < limit / 2) continue;
    const gradient = short === 0 ? 1 : Math.max(0.5, Math.min(1, (1.5 * long) / short));
    const smoothed = limit * 0.8 + (limit * gradient + 4) * 0.2;
    limit = Math.max(settings.min, Math.min(settings.max, smoothed));
  }
  return limit;
}

/** A whole limit that is within rounding of the exact one. */
function expectFloor(limit: number, exact: number): void {
  expect(Number.isInteger(limit)).toBe(true);
  expect(limit).toBeGreaterThanOrEqual(Math.floor(exact - 1e-6));
  expect(limit).toBeLessThanOrEqual(Math.floor(exact + 1e-6));
}

describe('gradient2', () => {
  it('reckons as the model does', () => {
    const property = fc.property(samples, all => {
      const limiter = gradient2(settings)();
      const seen = timed(all);
      for (const sample of seen) limiter.settled(sample);
      expectFloor(limiter.limit, gradient2Model(seen));
    });
    fc.assert(property, { seed: 21, numRuns: 400 });
  });

  it('grows while requests are quick, shrinks below what is served at a time when they get slow, and grows again', () => {
    let serviceMs = 20;
    const limiter = gradient2({ min: 4, max: 500 })();
    const server = new ServedByModel(limiter, { workers: 20, serviceMs: () => serviceMs });
    server.run(20_000);
    const quick = server.run(20_000);
    // All workers are busy, and no more wait than are served
    expect(quick.minLimit).toBeGreaterThanOrEqual(20);
    expect(quick.maxLimit).toBeLessThanOrEqual(45);
    serviceMs = 200;
    server.run(20_000);
    const slow = server.run(20_000);
    expect(slow.maxLimit).toBeLessThan(20);
    expect(slow.meanLatencyMs).toBeLessThan(205);
    serviceMs = 20;
    server.run(20_000);
    const again = server.run(20_000);
    expect(again.minLimit).toBeGreaterThanOrEqual(20);
  });

  it('does not grow for want of requests, nor because failures are quick', () => {
    const idle = gradient2({ initial: 20, max: 500 })();
    expect(new ServedByModel(idle, { workers: 20, serviceMs: () => 20 }, 5).run(30_000).maxLimit).toBe(20);
    const failing = gradient2({ initial: 20, max: 500 })();
    const server = { workers: 1, serviceMs: () => 20, refusesAbove: 0 };
    expect(new ServedByModel(failing, server, 20).run(5_000)).toMatchObject({ maxLimit: 20, minLimit: 20 });
  });
});

describe('aimd', () => {
  it('takes one step down for all that were under way together, and one up for a round that went well', () => {
    const limiter = aimd({ initial: 20, min: 5, max: 40, backoff: 0.5, slowMs: 100 })();
    const settled = (now: number, latencyMs: number, dropped = false, inFlight = 20) =>
      limiter.settled({ now, latencyMs, inFlight, dropped });
    settled(50, 10, true);
    settled(51, 10, true);
    expect(limiter.limit).toBe(10);
    settled(200, 101);
    expect(limiter.limit).toBe(5);
    settled(900, 10, true);
    expect(limiter.limit).toBe(5);
    for (let i = 0; i < 6; i++) settled(1_000, 10);
    expect(limiter.limit).toBe(6);
    for (let i = 0; i < 100; i++) settled(1_000, 10, false, 3);
    expect(limiter.limit).toBe(6);
    for (let i = 0; i < 2_000; i++) settled(1_000, 10);
    expect(limiter.limit).toBe(40);
  });

  it('stays near what a server takes that refuses more', () => {
    const limiter = aimd({ min: 4, max: 500 })();
    const server = new ServedByModel(limiter, { workers: 200, serviceMs: () => 20, refusesAbove: 60 });
    server.run(10_000);
    const { minLimit, maxLimit, dropped, ended } = server.run(10_000);
    expect(minLimit).toBeGreaterThanOrEqual(50);
    expect(maxLimit).toBeLessThanOrEqual(62);
    expect(dropped / ended).toBeLessThan(0.02);
  });
});

describe('the options of limiters', () => {
  it('fit together by default, and are refused where they cannot', () => {
    const limits = (bounds: object) => [gradient2(bounds)().limit, aimd(bounds)().limit];
    expect(limits({})).toEqual([20, 20]);
    expect(limits({ max: 8 })).toEqual([8, 8]);
    expect(limits({ min: 300 })).toEqual([300, 300]);
    expect(limits({ min: 1, max: 500, initial: 7 })).toEqual([7, 7]);
    expect(() => gradient2({ min: 0 })).toThrow('`gradient2.min` must be an integer of at least 1, got 0');
    expect(() => aimd({ min: 5, max: 4 })).toThrow('`aimd.max` must be an integer of at least 5, got 4');
    expect(() => aimd({ initial: 500 })).toThrow('`aimd.initial`');
    expect(() => gradient2({ smoothing: 0 })).toThrow('`gradient2.smoothing`');
    expect(() => gradient2({ tolerance: 0.5 })).toThrow('`gradient2.tolerance`');
    expect(() => aimd({ backoff: 1.5 })).toThrow('`aimd.backoff`');
    expect(() => gradient2({ queueSize: 4 } as object)).toThrow('gradient2 has no option `queueSize`');
  });
});
