import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer } from 'node:http';
import { seededRandom } from '@ashlar/core';
import { ManualClock } from '@ashlar/core/testing';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  type Candidate,
  type Endpoint,
  type Load,
  LoadBalancer,
  LoadGauge,
  leastRequests,
  type PolicyFactory,
  type PrequalOptions,
  type Probe,
  peakEwma,
  prequal,
  roundRobin,
  shuffleShard,
  zoneAware,
} from '../../src/index.ts';
import { exponential, failing, poisson, Simulation, serving } from '../../src/simulator.ts';
import { listening } from '../support/servers/listening.ts';

const unasked: Probe = () => Promise.reject(new Error('nobody probes here'));

/** A policy with its candidates, and answers that a test gives. */
function bench(count: number, options: Partial<PrequalOptions> = {}) {
  const policy = prequal({ probe: unasked, ...options })<Endpoint>();
  const all: Candidate<Endpoint>[] = Array.from({ length: count }, (_, index) => ({
    endpoint: { id: `${index}` },
    inFlight: 0,
    weight: 1,
  }));
  policy.update(all);
  const pick = (now = 0, skipped?: number) => {
    const skip = (candidate: Candidate<Endpoint>) => candidate === all[skipped ?? -1];
    return all.indexOf(policy.pick({ now, random: seededRandom(now), skip })!);
  };
  const answer = (index: number, load: Load, now = 0) => policy.probing!.probed(all[index]!, load, now);
  return { policy, all, pick, answer };
}

describe('prequal', () => {
  it('chooses by the hot-cold rule: cold before hot, then the fastest; not the other way around', () => {
    const load = fc.record({ inFlight: fc.nat(20), latencyMs: fc.integer({ min: 1, max: 500 }) });
    fc.assert(
      fc.property(
        fc.array(load, { minLength: 2, maxLength: 16 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (loads, coldPart) => {
          const { pick, answer } = bench(loads.length, { coldPart });
          for (const [index, each] of loads.entries()) answer(index, each);
          const sorted = loads.map(({ inFlight }) => inFlight).sort((a, b) => a - b);
          const threshold = sorted[Math.max(0, Math.ceil(coldPart * loads.length) - 1)]!;
          const cold = loads.filter(({ inFlight }) => inFlight <= threshold);
          const least = Math.min(...cold.map(({ latencyMs }) => latencyMs));
          const chosen = loads[pick()]!;
          expect(chosen.inFlight).toBeLessThanOrEqual(threshold);
          expect(chosen.latencyMs).toBe(least);
        },
      ),
      { seed: 7, numRuns: 300 },
    );
  });

  it('avoids the fast one that is loaded, and the slow one that is not', () => {
    const { pick, answer } = bench(3, { coldPart: 0.5 });
    answer(0, { inFlight: 50, latencyMs: 1 });
    answer(1, { inFlight: 0, latencyMs: 400 });
    answer(2, { inFlight: 1, latencyMs: 20 });
    expect(pick()).toBe(2);
  });

  it('counts what it sent since the answer came', () => {
    const { pick, answer } = bench(20, { coldPart: 0 });
    for (const index of [0, 1, 2]) answer(index, { inFlight: 0, latencyMs: 10 });
    expect(new Set([pick(), pick(), pick()])).toEqual(new Set([0, 1, 2]));
  });

  it('uses no answer that is older than it may be, of one that left, or that must be skipped', () => {
    const { policy, all, pick, answer } = bench(4, { maxAgeMs: 100 });
    answer(0, { inFlight: 0, latencyMs: 1 }, 0);
    answer(1, { inFlight: 0, latencyMs: 5 }, 50);
    answer(2, { inFlight: 0, latencyMs: 9 }, 50);
    expect(pick(60)).toBe(0);
    expect(pick(60, 0)).toBe(1);
    expect(pick(101)).toBe(1);
    policy.update(all.slice(2));
    answer(1, { inFlight: 0, latencyMs: 1 }, 102);
    answer(3, { inFlight: 0, latencyMs: 20 }, 102);
    expect(pick(103)).toBe(2);
  });

  it('is the better of two from here while it has fewer than two answers', () => {
    const { all, pick, answer } = bench(3);
    answer(0, { inFlight: 0, latencyMs: 1 });
    Object.assign(all[1]!, { inFlight: 5 });
    const picks = Array.from({ length: 60 }, (_, now) => pick(now));
    expect(new Set(picks)).toEqual(new Set([0, 2]));
  });

  it('does not take one that fails for a fast one', () => {
    const { policy, all, pick, answer } = bench(3);
    for (const index of [1, 2]) answer(index, { inFlight: 9, latencyMs: 100 });
    answer(0, { inFlight: 0, latencyMs: 1 });
    expect(pick(0)).toBe(0);
    policy.settled!(all[0]!, { ok: false, latencyMs: 1 }, 0);
    answer(0, { inFlight: 0, latencyMs: 1 });
    for (let now = 1; now < 50; now++) expect(pick(now)).not.toBe(0);
  });

  it('uses the answers of a large set up, and keeps those of a small one', () => {
    const used = (count: number) => {
      const { pick, answer } = bench(count);
      for (const index of [0, 1, 2, 3, 4, 5]) answer(index, { inFlight: 0, latencyMs: 1 + index });
      return Array.from({ length: 5 }, () => pick());
    };
    // At 10 000 an answer is good for (1 + 1) / (3 − 1) uses, at 7 for any number
    expect(used(10_000)).toEqual([0, 1, 2, 3, 4]);
    expect(new Set(used(7))).toEqual(new Set([0]));
  });

  it('refuses what it cannot use', () => {
    expect(() => prequal({} as never)).toThrow('`probe` is required: a function');
    expect(() => prequal({ probe: unasked, poolSize: 1 })).toThrow(
      '`poolSize` must be an integer of at least 2',
    );
    expect(() => prequal({ probe: unasked, coldPart: 1.1 })).toThrow(
      '`coldPart` must be a number of at least 0 and at most 1',
    );
    expect(() => prequal({ probe: unasked, probes: 3 } as never)).toThrow('prequal has no option `probes`');
  });
});

describe('the probes of a balancer', () => {
  const endpoints = Array.from({ length: 6 }, (_, index) => ({ id: `${index}` }));

  it('are as many as picks earn, to all endpoints, one at a time to each', async () => {
    const asked: string[] = [];
    const probe: Probe = ({ endpoint }) => {
      asked.push(endpoint.id);
      return Promise.resolve({ inFlight: 0, latencyMs: 1 });
    };
    const lb = new LoadBalancer({ endpoints, policy: prequal({ probe }), random: seededRandom(1) });
    for (let i = 0; i < 200; i++) {
      lb.pick().done({ ok: true });
      await settled();
    }
    expect(asked.length).toBeGreaterThan(450);
    expect(asked.length).toBeLessThanOrEqual(600);
    expect(new Set(asked).size).toBe(6);
    for (let i = 0; i < 50; i++) lb.pick().done({ ok: true });
    asked.length = 0;
    await settled();
    expect(asked.length).toBe(new Set(asked).size);
    await lb.close();
  });

  it.each([
    ['zoneAware', 4, (policy: PolicyFactory) => zoneAware({ zone: 'here', policy })],
    ['shuffleShard', 6, (policy: PolicyFactory) => shuffleShard({ size: 3, policy })],
  ] as const)('are made also within %s', async (_, probed, wrap) => {
    const asked = new Set<string>();
    const probe: Probe = ({ endpoint }) => {
      asked.add(endpoint.id);
      return Promise.resolve({ inFlight: 0, latencyMs: endpoint.id === '1' ? 1 : 50 });
    };
    const zoned = endpoints.map((endpoint, index) => ({ ...endpoint, zone: index < 4 ? 'here' : 'there' }));
    const lb = new LoadBalancer({
      endpoints: zoned,
      policy: wrap(prequal({ probe })),
      random: seededRandom(1),
    });
    for (let i = 0; i < 100; i++) {
      lb.pick().done({ ok: true });
      await settled();
    }
    // Of those that are picked from
    expect(asked.size).toBe(probed);
    expect(lb.snapshot().endpoints[1]!.picked).toBeGreaterThan(40);
    await lb.close();
  });

  it('are given up when they take too long, when they make no sense, and at the close, and it says so', async () => {
    const told: unknown[] = [];
    const listen = (message: unknown) => told.push((message as { error: unknown }).error);
    subscribe('ashlar:lb:probe-failed', listen);
    onTestFinished(() => void unsubscribe('ashlar:lb:probe-failed', listen));
    const clock = new ManualClock();
    const signals: AbortSignal[] = [];
    let answer: () => Promise<Load> = () => new Promise(() => {});
    const probe: Probe = ({ signal }) => {
      signals.push(signal);
      return answer();
    };
    const lb = new LoadBalancer({ endpoints, policy: prequal({ probe, maxAgeMs: 500 }), clock });
    lb.pick().done();
    await clock.advance(499);
    expect(told).toEqual([]);
    await clock.advance(1);
    expect(String(told[0])).toContain('the probe');
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
    answer = () => Promise.resolve({ inFlight: Number.NaN, latencyMs: 1 });
    lb.pick().done();
    await settled();
    expect(String(told.at(-1))).toBe(
      'InvalidOptionError: `inFlight` must be a number of at least 0, got NaN (number)',
    );
    answer = () => new Promise(() => {});
    const count = told.length;
    lb.pick().done();
    await settled();
    await lb.close();
    await settled();
    expect(signals.at(-1)?.aborted).toBe(true);
    expect(told.length).toBe(count);
    expect(clock.sleeping).toBe(0);
  });

  it('go to real servers that answer with a gauge', async () => {
    const servers = await Promise.all(
      [1, 60].map(async delayMs => {
        const gauge = new LoadGauge();
        const server = createServer((request, response) => {
          if (request.url === '/load') return void response.end(JSON.stringify(gauge.read()));
          response.on('close', gauge.begin());
          setTimeout(() => response.end(), delayMs);
        });
        return listening(server);
      }),
    );
    const probe: Probe = async ({ endpoint, signal }) => {
      const response = await fetch(`${endpoint.url}/load`, { signal });
      return (await response.json()) as Load;
    };
    const [fast, slow] = servers.map(({ url }, index) => ({ id: index === 0 ? 'fast' : 'slow', url }));
    const lb = new LoadBalancer({ endpoints: [fast!, slow!], policy: prequal({ probe }) });
    for (let i = 0; i < 40; i++) await lb.run(({ endpoint, signal }) => fetch(endpoint.url, { signal }));
    const [first, second] = lb.snapshot().endpoints;
    expect(first!.picked).toBeGreaterThan(second!.picked * 2);
    await lb.close();
  });
});

describe('LoadGauge', () => {
  it('tells how long requests took that came at a load like that of now', () => {
    const clock = { ms: 0, now: () => clock.ms };
    const gauge = new LoadGauge(clock);
    expect(gauge.read()).toEqual({ inFlight: 0, latencyMs: 0 });
    const at = (count: number, tookMs: number) => {
      const ends = Array.from({ length: count }, () => gauge.begin());
      clock.ms += tookMs;
      for (const end of ends.reverse()) end();
    };
    for (let i = 0; i < 10; i++) at(1, 10);
    for (let i = 0; i < 4; i++) at(20, 200);
    expect(gauge.read()).toEqual({ inFlight: 0, latencyMs: 10 });
    const ends = Array.from({ length: 19 }, () => gauge.begin());
    expect(gauge.read()).toEqual({ inFlight: 19, latencyMs: 200 });
    for (const end of [...ends, ...ends]) end();
    expect(gauge.read().inFlight).toBe(0);
  });
});

describe('the known ordering: Prequal', () => {
  /** Four of sixteen servers are eight times as slow, as where others use the machine. */
  async function p99(policyOf: (probe: Probe) => PolicyFactory): Promise<number> {
    const behavior = (index: number) => serving(exponential(index % 4 === 0 ? 80 : 10));
    const simulation: Simulation = new Simulation({
      replicas: Array.from({ length: 16 }, (_, index) => ({
        id: `${index}`,
        behavior: behavior(index),
        slots: 4,
      })),
      arrivals: poisson(2_000),
      policy: policyOf(context => simulation.probe(context)),
    });
    await simulation.advance(1_000);
    simulation.restart();
    await simulation.advance(2_000);
    return (await simulation.finish()).latencyMs.p99;
  }

  it('the tail of Prequal is far below that of round robin, and below those of least requests and peak EWMA', async () => {
    const probes = await p99(probe => prequal({ probe }));
    expect(probes * 8).toBeLessThan(await p99(() => roundRobin()));
    expect(probes * 1.5).toBeLessThan(await p99(() => leastRequests()));
    expect(probes * 1.5).toBeLessThan(await p99(() => peakEwma()));
  });

  it('one that fails fast gets next to nothing', async () => {
    const replicas = Array.from({ length: 8 }, (_, index) => ({
      id: `${index}`,
      behavior: serving(exponential(10)),
    }));
    const simulation: Simulation = new Simulation({
      replicas,
      arrivals: poisson(200),
      policy: prequal({ probe: context => simulation.probe(context) }),
      balancer: { outlier: false, retry: false },
    });
    await simulation.advance(2_000);
    simulation.replica('0').behavior = failing();
    simulation.restart();
    await simulation.advance(25_000);
    expect((await simulation.finish()).failed).toBeLessThanOrEqual(10);
  });
});

const settled = () => new Promise<void>(resolve => setImmediate(resolve));
