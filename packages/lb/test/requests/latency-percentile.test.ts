import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatencyPercentile } from '../../src/requests/hedge.ts';

describe('LatencyPercentile', () => {
  it('gives at least the exact percentile of the last 15 to 30 s, and at most 5 % more', () => {
    const latency = fc.oneof(
      fc.double({ min: 0.05, max: 20, noNaN: true }),
      fc.double({ min: 1, max: 60_000, noNaN: true }),
    );
    const steps = fc.array(
      fc.record({
        afterMs: fc.oneof(fc.nat(400), fc.nat(9_000)),
        latencies: fc.array(latency, { maxLength: 40 }),
      }),
      { minLength: 1, maxLength: 60, size: 'max' },
    );
    const percentiles = fc.constantFrom(50, 90, 95, 99.9);
    const property = fc.property(steps, percentiles, fc.nat(1e7), (all, percentile, start) => {
      const measured = new LatencyPercentile(percentile);
      const seen: { generation: number; latency: number }[] = [];
      let [now, asked, known] = [start, -Infinity, undefined as number | undefined];
      for (const { afterMs, latencies } of all) {
        now += afterMs;
        const generation = Math.floor(now / 15_000);
        for (const latency of latencies) {
          measured.add(latency, now);
          seen.push({ generation, latency });
        }
        const value = measured.valueMs(now);
        if (now < asked + 250) {
          expect(value).toBe(known);
          continue;
        }
        [asked, known] = [now, value];
        const recent = seen.filter(each => each.generation >= generation - 1).map(each => each.latency);
        if (recent.length < 20) expect(value).toBeUndefined();
        else {
          const exact = recent.sort((a, b) => a - b)[Math.ceil((recent.length * percentile) / 100) - 1]!;
          expect(value).toBeGreaterThanOrEqual(exact * 0.9999);
          expect(value).toBeLessThanOrEqual(exact * 1.0501);
        }
      }
    });
    fc.assert(property, { seed: 3, numRuns: 200 });
  });

  it('takes what is no duration, or beyond all bounds, for the nearest that it can count', () => {
    const measured = new LatencyPercentile(50);
    for (const odd of [0, -1, Number.NaN]) for (let i = 0; i < 10; i++) measured.add(odd, 0);
    expect(measured.valueMs(0)).toBe(0.01);
    for (let i = 0; i < 100; i++) measured.add(Infinity, 0);
    expect(measured.valueMs(1_000)).toBeGreaterThan(3e7);
  });
});
