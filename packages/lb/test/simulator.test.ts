import { describe, expect, it } from 'vitest';
import {
  type Endpoint,
  leastRequests,
  type PolicyFactory,
  peakEwma,
  random,
  roundRobin,
} from '../src/index.ts';
import {
  bursts,
  constant,
  exponential,
  failing,
  logNormal,
  poisson,
  refusing,
  Simulation,
  type SimulationOptions,
  serving,
  silent,
  steady,
  uniform,
} from '../src/simulator.ts';

const eight = (behavior = serving(logNormal(10, 0.3))) =>
  Array.from({ length: 8 }, (_, index) => ({ id: `${index}`, behavior }));
const alone = { outlier: false, retry: false } as const;

/** How often and how long one server of so many slots makes requests wait: the formula of Erlang (M/M/c). */
function erlang(perMs: number, meanMs: number, slots: number): number {
  const load = perMs * meanMs;
  let term = 1;
  let sum = 1;
  for (let k = 1; k < slots; k++) sum += term *= load / k;
  const all = (term * load) / slots / (1 - load / slots);
  const waits = all / (sum + all);
  return meanMs + (waits * meanMs) / (slots - load);
}

describe('Simulation', () => {
  it.each([
    [1, 50],
    [4, 300],
  ])('makes requests wait as the theory of queues says: %i slots, %i a second', async (slots, perSecond) => {
    const replicas = [{ id: 'only', slots, behavior: serving(exponential(10)) }];
    const simulation = new Simulation({ replicas, arrivals: poisson(perSecond) });
    await simulation.advance((60_000 / perSecond) * 1_000);
    const { latencyMs, requests, succeeded } = await simulation.finish();
    expect(succeeded).toBe(requests);
    expect(latencyMs.mean / erlang(perSecond / 1_000, 10, slots)).toBeGreaterThan(0.95);
    expect(latencyMs.mean / erlang(perSecond / 1_000, 10, slots)).toBeLessThan(1.05);
  });

  it('brings the same for the same seed, and something else for another', async () => {
    const run = async (seed: number) => {
      const simulation = new Simulation({
        replicas: eight(),
        arrivals: poisson(500),
        policy: peakEwma(),
        seed,
      });
      await simulation.advance(2_000);
      simulation.replica('3').behavior = failing();
      await simulation.advance(2_000);
      return simulation.finish();
    };
    const first = await run(5);
    expect(await run(5)).toEqual(first);
    expect(await run(6)).not.toEqual(first);
    expect(JSON.parse(JSON.stringify(first))).toEqual(first);
  });

  it('lets all policies be asked the same at the same times', async () => {
    const came = async (policy: PolicyFactory) => {
      const keys: number[] = [];
      const simulation = new Simulation({
        replicas: eight(),
        arrivals: poisson(300),
        policy,
        request: index => {
          keys.push(simulation.now);
          return { key: `${index}` };
        },
      });
      await simulation.advance(1_000);
      await simulation.finish();
      return keys;
    };
    expect(await came(roundRobin())).toEqual(await came(peakEwma()));
  });

  it('draws times as their distributions have them', async () => {
    const mean = async (behavior: ReturnType<typeof serving>) => {
      const simulation = new Simulation({ replicas: [{ id: 'a', behavior }], arrivals: steady(1_000) });
      await simulation.advance(20_000);
      return (await simulation.finish()).latencyMs;
    };
    expect((await mean(serving(constant(7)))).max).toBeCloseTo(7, 6);
    expect((await mean(serving(uniform(4, 8)))).mean).toBeCloseTo(6, 1);
    expect((await mean(serving(exponential(6)))).mean / 6).toBeCloseTo(1, 1);
    const { p50, p90 } = await mean(serving(logNormal(10, 0.5)));
    expect(p50 / 10).toBeCloseTo(1, 1);
    expect(p90 / (10 * Math.exp(0.5 * 1.2816))).toBeCloseTo(1, 1);
  });

  it('counts what becomes of requests: full queues, refusals, silence', async () => {
    const of = async (options: Partial<SimulationOptions>) => {
      const replicas = [{ id: 'a', behavior: serving(constant(100)), slots: 1, queue: 2 }];
      const simulation = new Simulation({ replicas, arrivals: bursts(50, 10), balancer: alone, ...options });
      await simulation.advance(10_000);
      const report = await simulation.finish(1_000);
      expect(report.succeeded + report.failed + report.unanswered).toBe(report.requests);
      expect(report.requests).toBeGreaterThan(50);
      return report;
    };
    const full = await of({});
    // Of ten at once one is served and two wait, if there is room; it can serve ten a second
    expect(full.succeeded / full.requests).toBeGreaterThan(0.1);
    expect(full.succeeded / full.requests).toBeLessThanOrEqual(0.2);
    expect(full.latencyMs.max).toBeLessThanOrEqual(300);
    expect(await of({ replicas: [{ id: 'a', behavior: refusing() }] })).toMatchObject({
      succeeded: 0,
      unanswered: 0,
    });
    expect(await of({ replicas: [{ id: 'a', behavior: silent() }] })).toMatchObject({
      succeeded: 0,
      failed: 0,
    });
    const limited = { replicas: [{ id: 'a', behavior: silent() }], request: () => ({ timeoutMs: 500 }) };
    expect(await of(limited)).toMatchObject({ succeeded: 0, unanswered: 0 });
  });

  it('tries another replica as the balancer does', async () => {
    const replicas = [
      { id: 'a', behavior: refusing() },
      { id: 'b', behavior: serving(constant(1)) },
    ];
    const simulation = new Simulation({ replicas, arrivals: steady(100) });
    await simulation.advance(5_000);
    expect(await simulation.finish()).toMatchObject({ failed: 0, unanswered: 0 });
  });

  it('refuses what it cannot use', () => {
    expect(() => new Simulation({ replicas: [], arrivals: steady(1), replica: 1 } as never)).toThrow(
      'Simulation has no option `replica`',
    );
    expect(() => steady(0)).toThrow('`perSecond` must be a number above 0');
    expect(() => uniform(5, 4)).toThrow('`maxMs` must be a number of milliseconds of at least 5');
    expect(
      () => new Simulation({ replicas: [{ id: 'a', behavior: silent(), slots: 0 }], arrivals: steady(1) }),
    ).toThrow('`slots` must be an integer of at least 1');
  });
});

describe('the known orderings of policies', () => {
  /** The part of requests that are answered well within a second while one of eleven takes two seconds half of the time. */
  async function success(policy: PolicyFactory): Promise<number> {
    const replicas = Array.from({ length: 11 }, (_, index) => ({
      id: `${index}`,
      behavior: serving(logNormal(30, 0.4)),
    }));
    const request = () => ({ timeoutMs: 1_000 });
    const simulation = new Simulation({
      replicas,
      arrivals: poisson(1_000),
      policy,
      balancer: alone,
      request,
    });
    await simulation.advance(5_000);
    simulation.replica('4').behavior = serving(constant(2_000));
    await simulation.advance(5_000);
    const { succeeded, requests } = await simulation.finish();
    return (100 * succeeded) / requests;
  }

  it('one slow replica: 95 % of round robin, 99 % of least requests, 99.9 % of peak EWMA (as Buoyant published)', async () => {
    // Those of then knew no penalty; with it a deadline that is over is a failure
    const [turns, least, peak] = [
      await success(roundRobin()),
      await success(leastRequests({ penaltyMs: 0 })),
      await success(peakEwma({ penaltyMs: 0 })),
    ];
    expect(turns).toBeGreaterThan(94);
    expect(turns).toBeLessThan(96.5);
    expect(least).toBeGreaterThan(98.5);
    expect(least).toBeLessThan(99.8);
    expect(peak).toBeGreaterThan(99.9);
    expect(await success(leastRequests())).toBeGreaterThan(99.8);
    expect(await success(peakEwma())).toBeGreaterThan(99.9);
  });

  /** What one of eight gets, in percent, while it fails at once, after two seconds when it was well. */
  async function shareOfFailing(policy: PolicyFactory): Promise<number> {
    const simulation = new Simulation({ replicas: eight(), arrivals: poisson(200), policy, balancer: alone });
    await simulation.advance(2_000);
    simulation.restart();
    simulation.replica('0').behavior = failing();
    await simulation.advance(25_000);
    return 100 * (await simulation.finish()).replicas['0']!.share;
  }

  it('one that fails fast attracts what goes by load or latency, unless failures count as latency', async () => {
    expect(await shareOfFailing(random())).toBeCloseTo(12.5, 0);
    expect(await shareOfFailing(leastRequests({ penaltyMs: 0 }))).toBeGreaterThan(14);
    expect(await shareOfFailing(peakEwma({ penaltyMs: 0 }))).toBeGreaterThan(20);
    expect(await shareOfFailing(leastRequests())).toBeLessThan(0.5);
    expect(await shareOfFailing(peakEwma())).toBeLessThan(0.05);
  });

  it('nine tenths busy: the tail of least requests is far below that of round robin, and that below that of chance', async () => {
    const p99 = async (policy: PolicyFactory) => {
      const replicas = eight(serving(exponential(10))).map(each => ({ ...each, slots: 1 }));
      const simulation = new Simulation({ replicas, arrivals: poisson(720), policy });
      await simulation.advance(20_000);
      return (await simulation.finish()).latencyMs.p99;
    };
    const [chance, turns, least] = [await p99(random()), await p99(roundRobin()), await p99(leastRequests())];
    expect(least * 1.5).toBeLessThan(turns);
    expect(turns * 1.2).toBeLessThan(chance);
  });
});

describe('what policies are for', () => {
  it('a replica that is silent takes no more than a few requests of peak EWMA, without any deadline', async () => {
    const underWay = async (policy: PolicyFactory) => {
      const simulation = new Simulation({
        replicas: eight(),
        arrivals: poisson(200),
        policy,
        balancer: alone,
      });
      await simulation.advance(2_000);
      simulation.replica('0').behavior = silent();
      await simulation.advance(60_000);
      const [endpoint] = simulation.balancer.snapshot().endpoints;
      await simulation.finish(0);
      return endpoint!.inFlight;
    };
    expect(await underWay(peakEwma())).toBeLessThanOrEqual(5);
    // Without the silence counted, what was measured before would fade while nothing is heard
    expect(await underWay(peakEwma({ penaltyMs: 0 }))).toBeGreaterThan(20);
  });

  it('a bad replica of two is left alone by retries: nothing fails', async () => {
    const replicas: (Endpoint & { behavior: ReturnType<typeof serving> })[] = eight().slice(0, 2);
    const request = () => ({ idempotent: true });
    const simulation = new Simulation({ replicas, arrivals: poisson(100), request });
    await simulation.advance(1_000);
    simulation.replica('1').behavior = failing();
    await simulation.advance(20_000);
    expect(await simulation.finish()).toMatchObject({ failed: 0, unanswered: 0 });
  });
});
