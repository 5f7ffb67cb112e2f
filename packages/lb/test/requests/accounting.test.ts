import { seededRandom } from '@ashlar/core';
import { ManualClock } from '@ashlar/core/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Candidate,
  consistent,
  type Endpoint,
  LoadBalancer,
  leastRequests,
  NoEndpointError,
  type Outcome,
  type Picked,
  type PickRequest,
  type Policy,
  type PolicyFactory,
  peakEwma,
  random,
  roundRobin,
  weightedRoundRobin,
} from '../../src/index.ts';
import { Feed } from '../support/discovery/feed.ts';

const policies: PolicyFactory[] = [
  roundRobin(),
  weightedRoundRobin(),
  random(),
  leastRequests(),
  peakEwma(),
  consistent(),
  consistent(undefined, { loadFactor: 1.1 }),
];

/** Checks of what the policy is told, around another one. */
class Checked<E extends Endpoint> implements Policy<E> {
  readonly #policy: Policy<E>;
  #eligible: readonly Candidate<E>[] = [];

  constructor(policy: Policy<E>) {
    this.#policy = policy;
  }

  update(eligible: readonly Candidate<E>[]): void {
    this.#eligible = eligible;
    this.#policy.update(eligible);
  }

  pick(request: PickRequest<E>): Candidate<E> | undefined {
    expect(request.inFlight).toBe(this.#eligible.reduce((sum, { inFlight }) => sum + inFlight, 0));
    return this.#policy.pick(request);
  }

  settled(candidate: Candidate<E>, outcome: Outcome, now: number): void {
    expect(candidate.inFlight).toBeGreaterThanOrEqual(0);
    this.#policy.settled?.(candidate, outcome, now);
  }
}

type Step =
  | { readonly do: 'pick'; readonly key: number; readonly exclude: readonly number[] }
  | { readonly do: 'done'; readonly which: number; readonly ok: boolean | undefined }
  | { readonly do: 'set'; readonly ids: readonly number[]; readonly weight: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'drain' | 'undrain' | 'sicken' | 'heal'; readonly id: number };

const id = fc.nat(6);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('pick' as const),
      key: fc.nat(50),
      exclude: fc.array(id, { maxLength: 3 }),
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      do: fc.constant('done' as const),
      which: fc.nat(30),
      ok: fc.constantFrom(true, false, false, undefined),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('set' as const),
      ids: fc.uniqueArray(id, { minLength: 1 }),
      weight: fc.constantFrom(0, 1, 3),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(80_000) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('drain' as const, 'undrain' as const, 'sicken' as const, 'heal' as const),
      id,
    }),
  },
);

const isHealthy = (state: string) => ['up', 'ejected', 'probing'].includes(state);
const endpoint = (number: number, weight = 1): Endpoint => ({ id: `e${number}`, weight });

describe('whatever happens', () => {
  it('what is in flight is what was picked and not done, and somebody is always there who may be picked', async () => {
    const plan = fc.record({
      policy: fc.constantFrom(...policies),
      panicPercent: fc.constantFrom(0, 50),
      serveUnchecked: fc.boolean(),
      steps: fc.array(step, { maxLength: 120 }),
    });
    const property = fc.asyncProperty(plan, async ({ policy, panicPercent, serveUnchecked, steps }) => {
      const clock = new ManualClock();
      const feed = new Feed<Endpoint>();
      const outlier = { consecutiveFailures: 2, baseEjectionMs: 10_000 };
      const checked: PolicyFactory = () => new Checked(policy());
      const lb = new LoadBalancer({
        endpoints: feed,
        policy: checked,
        outlier,
        panicPercent,
        slowStartMs: 20_000,
        health: {
          check: async ({ endpoint }) => !sick.has(endpoint.id),
          intervalMs: 50_000,
          healthyAfter: 1,
          unhealthyAfter: 1,
          serveUnchecked,
        },
        clock,
        random: seededRandom(3),
      });
      const open: { picked: Picked<Endpoint>; generation: number }[] = [];
      const generations = new Map<string, number>();
      const sick = new Set<string>();
      const drained = new Set<string>();
      let set: Endpoint[] = [];
      const give = async (endpoints: Endpoint[]) => {
        for (const { id } of endpoints) {
          if (!set.some(before => before.id === id)) generations.set(id, (generations.get(id) ?? 0) + 1);
        }
        set = endpoints;
        for (const id of drained) if (!set.some(still => still.id === id)) drained.delete(id);
        await feed.give(endpoints);
      };
      await give([0, 1, 2, 3].map(number => endpoint(number)));
      for (const step of steps) {
        if (step.do === 'set')
          await give(step.ids.map((number, index) => endpoint(number, index === 0 ? 1 : step.weight)));
        else if (step.do === 'wait') await clock.advance(step.ms);
        else if (step.do === 'done') {
          const [ended] = open.splice(step.which % Math.max(1, open.length), 1);
          if (step.ok === undefined) ended?.picked.done();
          else ended?.picked.done({ ok: step.ok });
          ended?.picked.done({ ok: true });
        } else if (step.do !== 'pick') {
          const id = `e${step.id}`;
          if (step.do === 'sicken') sick.add(id);
          else if (step.do === 'heal') sick.delete(id);
          else if (!set.some(there => there.id === id)) expect(() => lb.undrain(id)).toThrow();
          else if (step.do === 'drain') {
            lb.drain(id).catch(() => {});
            drained.add(id);
          } else {
            lb.undrain(id);
            drained.delete(id);
          }
        } else {
          const exclude = step.exclude.map(number => `e${number}`);
          try {
            const picked = lb.pick({ key: `${step.key}`, exclude });
            const chosen = set.find(each => each.id === picked.endpoint.id);
            expect(exclude).not.toContain(picked.endpoint.id);
            expect(chosen?.weight).toBeGreaterThan(0);
            expect(drained).not.toContain(picked.endpoint.id);
            open.push({ picked, generation: generations.get(picked.endpoint.id)! });
          } catch (error) {
            expect(error).toBeInstanceOf(NoEndpointError);
            const states = lb.snapshot().endpoints.map(({ state }) => state);
            const serves = states.some(state => (panicPercent > 0 ? state !== 'drained' : isHealthy(state)));
            expect(exclude.length > 0 || !serves).toBe(true);
          }
        }
        const { inFlight, endpoints } = lb.snapshot();
        expect(inFlight).toBe(open.length);
        for (const { id, inFlight } of endpoints) {
          const mine = open.filter(
            ({ picked, generation }) => picked.endpoint.id === id && generation === generations.get(id),
          );
          expect(inFlight).toBe(mine.length);
        }
        const wanted = endpoints.map(({ state }) => state).filter(state => state !== 'drained');
        const healthy = wanted.filter(isHealthy);
        const away = healthy.filter(state => state !== 'up').length;
        const limit = Math.min(healthy.length - 1, Math.max(1, Math.floor(wanted.length / 2)));
        expect(away).toBeLessThanOrEqual(Math.max(0, limit));
      }
      await lb.close();
      await clock.advance(0);
      expect(clock.sleeping).toBe(0);
    });
    await fc.assert(property, { seed: 4, numRuns: 100 });
  });

  it('a retry never goes where the request has been, and stops only at its limits', async () => {
    const plan = fc.record({
      policy: fc.constantFrom(...policies),
      count: fc.integer({ min: 1, max: 6 }),
      attempts: fc.integer({ min: 1, max: 7 }),
      failing: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
      runs: fc.integer({ min: 1, max: 25 }),
    });
    const property = fc.asyncProperty(plan, async ({ policy, count, attempts, failing, runs }) => {
      const endpoints = Array.from({ length: count }, (_, number) => endpoint(number));
      const retry = { attempts, budgetPercent: 100, budgetPerSecond: 100 };
      const lb = new LoadBalancer({ endpoints, policy, retry, outlier: false, random: seededRandom(3) });
      for (let run = 0; run < runs; run++) {
        const tried: string[] = [];
        const attempt = async ({ endpoint }: { endpoint: Endpoint }) => {
          tried.push(endpoint.id);
          if (failing[Number(endpoint.id[1])]) throw new Error(endpoint.id);
          return endpoint.id;
        };
        const result = await lb
          .run(attempt, { idempotent: true, key: `${run}` })
          .catch((error: Error) => error);
        expect(new Set(tried).size).toBe(tried.length);
        const failed = result instanceof Error;
        expect(failed ? result.message : result).toBe(tried.at(-1));
        if (failed) expect(tried.length).toBe(Math.min(attempts, count));
      }
      expect(lb.snapshot().inFlight).toBe(0);
    });
    await fc.assert(property, { seed: 4, numRuns: 150 });
  });
});
