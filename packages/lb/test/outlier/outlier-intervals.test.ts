import { ManualClock } from '@ashlar/core/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Endpoint,
  LoadBalancer,
  type OutlierOptions,
  type PolicyFactory,
  roundRobin,
} from '../../src/index.ts';
import { failurePercentOutliers } from '../../src/outlier/failure-percent.ts';
import { successRateOutliers } from '../../src/outlier/success-rate.ts';
import { heard } from '../support/heard.ts';
import { Noting } from '../support/policies/noting.ts';
import { ids, pickOf, stateOf } from '../support/policies/picking.ts';

const intervalMs = 10_000;

function balancer(count: number, outlier: OutlierOptions = {}) {
  const clock = new ManualClock();
  const lb = new LoadBalancer({ endpoints: ids(count), policy: roundRobin(), outlier, clock });
  return { lb, clock };
}

/** So many requests to each endpoint, of which so many percent succeed; failures come spread, never five in a row. */
function serve(lb: LoadBalancer<{ id: string }>, rates: readonly number[], requests = 100): void {
  const served = rates.map(() => 0);
  const picks = requests * rates.length;
  for (let i = 0; i < picks; i++) {
    const picked = lb.pick();
    const index = lb.endpoints.findIndex(({ id }) => id === picked.endpoint.id);
    const number = served[index]!++;
    const rate = rates[index]!;
    picked.done({ ok: Math.floor(((number + 1) * rate) / 100) > Math.floor((number * rate) / 100) });
  }
}

const ejected = (lb: LoadBalancer<{ id: string }>) =>
  lb
    .snapshot()
    .endpoints.filter(({ state }) => state === 'ejected')
    .map(({ id }) => id);

describe('ejection by success rate', () => {
  it("ejects in Envoy's example: of rates 50, 100, 100, 100, 100 the first is below the threshold of 52", async () => {
    const { lb, clock } = balancer(5, { failurePercent: false });
    const messages = heard('eject');
    serve(lb, [50, 100, 100, 100, 100]);
    expect(ejected(lb)).toEqual([]);
    await clock.advance(intervalMs);
    lb.pick().done();
    expect(ejected(lb)).toEqual(['a']);
    expect(messages.stop()).toMatchObject([{ reason: 'a success rate of 50 %, below 52 %', forMs: 30_000 }]);
  });

  it('judges when an outcome comes, as well as at a pick', async () => {
    const { lb, clock } = balancer(5);
    serve(lb, [50, 100, 100, 100, 100]);
    const late = pickOf(lb, 'b')!;
    await clock.advance(intervalMs);
    late.done({ ok: true });
    expect(ejected(lb)).toEqual(['a']);
  });

  it.each<[string, number[], number, OutlierOptions]>([
    ['fewer endpoints than can be compared', [50, 100, 100, 100], 100, {}],
    ['too few requests', [50, 100, 100, 100, 100], 99, {}],
    ['a difference within the tolerance', [96, 100, 100, 100, 100], 100, {}],
    ['all equally bad', [60, 60, 60, 60, 60], 100, {}],
    ['it being turned off', [50, 100, 100, 100, 100], 100, { successRate: false }],
  ])('ejects nobody with %s', async (_, rates, requests, options) => {
    const { lb, clock } = balancer(rates.length, options);
    serve(lb, rates, requests);
    await clock.advance(intervalMs);
    lb.pick().done();
    expect(ejected(lb)).toEqual([]);
  });

  it('without a tolerance is as strict as Envoy', async () => {
    const { lb, clock } = balancer(5, { successRate: { tolerancePercent: 0 } });
    serve(lb, [99, 100, 100, 100, 100]);
    await clock.advance(intervalMs);
    lb.pick().done();
    expect(ejected(lb)).toEqual(['a']);
  });

  it('counts each interval alone', async () => {
    const { lb, clock } = balancer(5);
    serve(lb, [50, 100, 100, 100, 100], 60);
    await clock.advance(intervalMs);
    serve(lb, [50, 100, 100, 100, 100], 60);
    await clock.advance(intervalMs);
    lb.pick().done();
    expect(ejected(lb)).toEqual([]);
  });

  it('does not judge by what happened long ago', async () => {
    const { lb, clock } = balancer(5);
    serve(lb, [50, 100, 100, 100, 100]);
    await clock.advance(2 * intervalMs);
    lb.pick().done();
    expect(ejected(lb)).toEqual([]);
  });

  it('begins anew with an endpoint that comes back', async () => {
    const { lb, clock } = balancer(5, { baseEjectionMs: 1_000 });
    serve(lb, [50, 100, 100, 100, 100]);
    await clock.advance(intervalMs);
    lb.pick().done();
    await clock.advance(1_000);
    pickOf(lb, 'a')!.done({ ok: true });
    expect(stateOf(lb, 'a')).toBe('up');
    serve(lb, [100, 100, 100, 100, 100]);
    await clock.advance(intervalMs);
    lb.pick().done();
    expect(ejected(lb)).toEqual([]);
  });

  it('is as a plain model says', () => {
    const tally = fc.record({ succeeded: fc.nat(200), failed: fc.nat(200) });
    const settings = fc.record({
      minEndpoints: fc.integer({ min: 2, max: 6 }),
      minRequests: fc.integer({ min: 1, max: 200 }),
      stdevFactor: fc.double({ min: 0, max: 3, noNaN: true }),
      tolerancePercent: fc.constantFrom(0, 5, 20),
    });
    const property = fc.property(fc.array(tally, { maxLength: 12 }), settings, (counts, settings) => {
      const rated = counts.map(({ succeeded, failed }, of) => ({
        of,
        volume: succeeded + failed,
        rate: (100 * succeeded) / (succeeded + failed),
      }));
      const enough = rated.filter(({ volume }) => volume >= settings.minRequests);
      let expected: number[] = [];
      if (enough.length >= settings.minEndpoints) {
        const sum = enough.reduce((all, { rate }) => all + rate, 0);
        const mean = sum / enough.length;
        const squares = enough.reduce((all, { rate }) => all + rate * rate, 0);
        const sigma = Math.sqrt(Math.max(0, squares / enough.length - mean * mean));
        const below = Math.min(mean - settings.stdevFactor * sigma, mean - settings.tolerancePercent);
        // What is on the edge may fall to either side of two ways to compute the same
        if (enough.some(({ rate }) => Math.abs(rate - below) < 1e-5)) return;
        expected = enough.filter(({ rate }) => rate < below).map(({ of }) => of);
      }
      const tallies = counts.map((count, of) => ({ of, ...count }));
      const outliers = successRateOutliers(tallies, settings).map(({ of }) => of);
      expect([...outliers].sort((a, b) => a - b)).toEqual(expected);
      const rates = outliers.map(of => rated[of]!.rate);
      expect(rates).toEqual([...rates].sort((a, b) => a - b));
    });
    fc.assert(property, { seed: 4, numRuns: 500 });
  });
});

describe('ejection by share of failures', () => {
  it('ejects one of two at 85 percent of 20 requests', async () => {
    const { lb, clock } = balancer(2, { consecutiveFailures: 100 });
    const messages = heard('eject');
    serve(lb, [15, 100], 20);
    await clock.advance(intervalMs);
    lb.pick().done();
    expect(ejected(lb)).toEqual(['a']);
    expect(messages.stop()).toMatchObject([{ reason: '17 failures of 20 requests' }]);
  });

  it.each<[string, number[], number, OutlierOptions]>([
    ['a smaller share', [16, 100], 25, {}],
    ['too few requests', [15, 100], 19, {}],
    ['fewer endpoints than wanted', [0, 100], 100, { failurePercent: { minEndpoints: 3 } }],
    ['it being turned off', [0, 100], 100, { failurePercent: false }],
  ])('ejects nobody with %s', async (_, rates, requests, options) => {
    const { lb, clock } = balancer(rates.length, { consecutiveFailures: 1_000, ...options });
    serve(lb, rates, requests);
    await clock.advance(intervalMs);
    lb.pick().done();
    expect(ejected(lb)).toEqual([]);
  });

  it('takes the worst where not all may go, and never all', async () => {
    const { lb, clock } = balancer(4, { consecutiveFailures: 1_000 });
    serve(lb, [12, 3, 15, 0]);
    await clock.advance(intervalMs);
    lb.pick().done();
    expect(ejected(lb)).toEqual(['b', 'd']);
  });

  it('is as a plain model says', () => {
    const tally = fc.record({ succeeded: fc.nat(50), failed: fc.nat(50) });
    const settings = fc.record({
      threshold: fc.integer({ min: 1, max: 100 }),
      minEndpoints: fc.integer({ min: 1, max: 6 }),
      minRequests: fc.integer({ min: 1, max: 60 }),
    });
    const property = fc.property(fc.array(tally, { maxLength: 12 }), settings, (counts, settings) => {
      const enough = counts.flatMap((count, of) =>
        count.succeeded + count.failed >= settings.minRequests ? [{ of, ...count }] : [],
      );
      const over = enough.filter(
        ({ succeeded, failed }) => failed * 100 >= settings.threshold * (succeeded + failed),
      );
      const expected = enough.length >= settings.minEndpoints ? over.map(({ of }) => of) : [];
      const tallies = counts.map((count, of) => ({ of, ...count }));
      const outliers = failurePercentOutliers(tallies, settings).map(({ of }) => of);
      expect(outliers.sort((a, b) => a - b)).toEqual(expected);
    });
    fc.assert(property, { seed: 4, numRuns: 500 });
  });
});

it('costs the policy no update when an interval ends and nothing follows', async () => {
  const policy = new Noting<Endpoint>();
  const clock = new ManualClock();
  const lb = new LoadBalancer<Endpoint>({
    endpoints: ids(3),
    policy: (() => policy) as unknown as PolicyFactory,
    clock,
  });
  for (let i = 0; i < 20; i++) {
    lb.pick().done({ ok: true });
    await clock.advance(intervalMs);
  }
  expect(policy.updates).toBe(1);
});
