import { seededRandom } from '@ashlar/core';
import { ManualClock } from '@ashlar/core/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Candidate,
  type Endpoint,
  LoadBalancer,
  type PeakEwmaOptions,
  peakEwma,
} from '../../src/index.ts';

type Mutable = { -readonly [K in keyof Candidate<Endpoint>]: Candidate<Endpoint>[K] };

/** A policy with its candidates, at a time and with draws that a test sets. */
function bench(count: number, options?: PeakEwmaOptions) {
  const policy = peakEwma(options)<Endpoint>();
  const all: Mutable[] = Array.from({ length: count }, (_, index) => ({
    endpoint: { id: `${index}` },
    inFlight: 0,
    weight: 1,
  }));
  policy.update(all);
  const pick = (now: number, random = seededRandom(now), skipped?: Mutable) => {
    const skip = (candidate: Candidate<Endpoint>) => candidate === skipped;
    return all.indexOf(policy.pick({ now, random, skip }) as Mutable);
  };
  const settle = (index: number, latencyMs: number, now: number, ok = true, retryAfterMs?: number) =>
    policy.settled?.(all[index]!, { ok, latencyMs, ...(retryAfterMs && { retryAfterMs }) }, now);
  return { policy, all, pick, settle };
}

describe('peakEwma', () => {
  it('takes the one of two with less of: the greatest latency, each faded by its age, times requests in flight', () => {
    const answer = fc.record({
      of: fc.integer({ min: 0, max: 1 }),
      latencyMs: fc.double({ min: 0.01, max: 10_000, noNaN: true }),
      afterMs: fc.integer({ min: 0, max: 400_000 }),
      inFlight: fc.tuple(fc.nat(5), fc.nat(5)),
    });
    fc.assert(
      fc.property(
        fc.array(answer, { minLength: 2, maxLength: 60 }),
        fc.integer({ min: 1, max: 20_000 }),
        (answers, decayMs) => {
          // No penalty: silence would count, which has a test of its own
          const { all, pick, settle } = bench(2, { decayMs, penaltyMs: 0 });
          const heard: { latencyMs: number; at: number }[][] = [[], []];
          let now = 0;
          for (const { of, latencyMs, afterMs, inFlight } of answers) {
            settle(of, latencyMs, now);
            heard[of]!.push({ latencyMs, at: now });
            now += afterMs;
            const loads = heard.map((each, index) => {
              all[index]!.inFlight = inFlight[index]!;
              if (each.length === 0) return inFlight[index] === 0 ? 0 : Infinity;
              const faded = each.map(({ latencyMs, at }) => Math.log(latencyMs) - (now - at) / decayMs);
              return Math.exp(Math.max(...faded) + Math.log(inFlight[index]! + 1));
            });
            const [a, b] = loads as [number, number];
            // What is as good as equal, or has faded to nothing, may go either way
            const clear = Math.abs(a - b) > 1e-6 * Math.max(a, b) && Math.max(a, b) > 1e-250;
            if (clear && Number.isFinite(a + b)) expect(pick(now)).toBe(a < b ? 0 : 1);
          }
        },
      ),
      { seed: 7, numRuns: 300 },
    );
  });

  it('asks one of which it knows nothing at once, but no more until it has answered', () => {
    const { all, pick, settle } = bench(3);
    for (const index of [0, 1]) settle(index, 10, 0);
    expect(
      Array.from({ length: 50 }, (_, now) => pick(now)).filter(index => index === 2).length,
    ).toBeGreaterThan(20);
    all[2]!.inFlight = 1;
    for (const index of [0, 1]) all[index]!.inFlight = 100_000;
    for (let now = 50; now < 100; now++) expect(pick(now)).not.toBe(2);
    settle(2, 10, 100);
    expect(Array.from({ length: 50 }, (_, i) => pick(100 + i))).toContain(2);
  });

  it('takes silence for latency before the answer comes', () => {
    const { all, pick, settle } = bench(2);
    for (const index of [0, 1]) settle(index, 10, 0);
    // Endpoint 1 is given a request and is silent; the other has more in flight
    expect(pick(1, undefined, all[0])).toBe(1);
    all[1]!.inFlight = 1;
    all[0]!.inFlight = 4;
    expect(pick(100)).toBe(1);
    // It is now known to take 99 ms or more
    for (let now = 101; now < 140; now++) expect(pick(now)).toBe(0);
    all[0]!.inFlight = 40;
    expect(pick(140)).toBe(1);
  });

  it('forgets the silence of one that has nothing to answer', () => {
    const { all, pick, settle } = bench(2);
    for (const index of [0, 1]) settle(index, 10, 0);
    expect(pick(1, undefined, all[0])).toBe(1);
    // The request was given up; a new one comes much later
    expect(pick(5_000, undefined, all[0])).toBe(1);
    all[1]!.inFlight = 1;
    expect(pick(5_001, undefined, all[0])).toBe(1);
    all[1]!.inFlight = 0;
    settle(0, 12, 5_002);
    for (let now = 5_003; now < 5_050; now++) expect(pick(now)).toBe(1);
  });

  it.each([
    ['as long as the penalty', 20, undefined, 5_000],
    ['as long as it took, if that is longer', 7_000, undefined, 7_000],
    ['as long as it asked to be left alone', 20, 60_000, 60_000],
    ['no longer than five minutes', 20, 3_600_000, 300_000],
  ])('counts a failure %s', (_, latencyMs, retryAfterMs, countsMs) => {
    const { pick, settle } = bench(2);
    settle(0, latencyMs, 0, false, retryAfterMs);
    settle(1, countsMs - 1, 0);
    expect(pick(0)).toBe(1);
    settle(1, countsMs + 1, 0);
    expect(pick(0)).toBe(0);
  });

  it('gives one that failed its next request when the failure has faded to the latency of the others', () => {
    const { pick, settle } = bench(2);
    settle(0, 1, 0, false);
    let now = 0;
    for (; pick(now) === 1; now += 100) settle(1, 10, now);
    // 5 000 ms are 10 ms after 10 s · ln 500
    expect(now).toBeGreaterThan(62_000);
    expect(now).toBeLessThan(62_400);
  });

  it('is asked again at once when an ejection is over, one request at a time', async () => {
    const clock = new ManualClock();
    const endpoints = [{ id: 'a' }, { id: 'b' }];
    const lb = new LoadBalancer({ endpoints, policy: peakEwma(), clock, random: seededRandom(1) });
    for (let i = 0; i < 5; i++) lb.pick({ exclude: ['b'] }).done({ ok: false });
    lb.pick().done({ ok: true, latencyMs: 10 });
    await clock.advance(29_999);
    for (let i = 0; i < 20; i++) {
      const picked = lb.pick();
      expect(picked.endpoint.id).toBe('b');
      picked.done({ ok: true, latencyMs: 10 });
    }
    await clock.advance(1);
    const probe = lb.pick();
    expect(probe.endpoint.id).toBe('a');
    for (let i = 0; i < 20; i++) expect(lb.pick().endpoint.id).toBe('b');
    probe.done({ ok: true, latencyMs: 10 });
    expect(lb.pick().endpoint.id).toBe('a');
  });

  it('gives shares by weight also where latencies vary', () => {
    const weights = [1, 2, 3, 6];
    const endpoints = weights.map((weight, index) => ({ id: `${index}`, weight }));
    const clock = new ManualClock();
    const now = { ms: 0 };
    const random = seededRandom(11);
    const lb = new LoadBalancer({
      endpoints,
      policy: peakEwma(),
      clock: { ...clock, now: () => now.ms, sleep: () => Promise.resolve() },
      random,
    });
    for (let i = 0; i < 60_000; i++) {
      now.ms += 5;
      lb.pick().done({ ok: true, latencyMs: 8 + 4 * random() });
    }
    for (const [index, { picked }] of lb.snapshot().endpoints.entries()) {
      expect(Math.abs(picked / 60_000 / (weights[index]! / 12) - 1)).toBeLessThan(0.15);
    }
  });

  it('keeps its figures in range over any time', () => {
    const { pick, settle } = bench(2, { decayMs: 0.5 });
    for (let now = 0; now < 1e7; now += 1_000) {
      settle(0, 10, now);
      settle(1, 1e9, now);
      expect(pick(now)).toBe(0);
    }
    settle(0, 10, 1e12);
    settle(1, 11, 1e12);
    expect(pick(1e12)).toBe(0);
  });

  it('refuses what it cannot use', () => {
    expect(() => peakEwma({ decayMs: 0 })).toThrow(
      '`decayMs` must be a number of milliseconds above 0, got 0 (number)',
    );
    expect(() => peakEwma({ penaltyMs: -1 })).toThrow(
      '`penaltyMs` must be a number of milliseconds of at least 0',
    );
    expect(() => peakEwma({ tau: 1 } as never)).toThrow('peakEwma has no option `tau`');
  });
});
