import { seededRandom } from '@ashlar/core';
import { ManualClock } from '@ashlar/core/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { consistent, LoadBalancer, leastRequests, type Picked, roundRobin } from '../../../src/index.ts';
import { Feed } from '../../support/discovery/feed.ts';

interface Limited {
  readonly id: string;
  readonly weight: number;
  readonly max: number;
}

type Step =
  | { readonly do: 'acquire'; readonly key: number; readonly timeoutMs: number | undefined }
  | { readonly do: 'done'; readonly which: number; readonly ok: boolean | undefined }
  | { readonly do: 'abort'; readonly which: number }
  | { readonly do: 'set'; readonly endpoints: readonly Limited[] }
  | { readonly do: 'wait'; readonly ms: number };

const limited = fc.record({
  id: fc.constantFrom('a', 'b', 'c', 'd'),
  weight: fc.constantFrom(0, 1, 1, 2),
  max: fc.integer({ min: 1, max: 3 }),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constant('acquire' as const),
      key: fc.nat(20),
      timeoutMs: fc.constantFrom(undefined, undefined, 40, 90),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('done' as const),
      which: fc.nat(30),
      ok: fc.constantFrom(true, true, false, undefined),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('abort' as const), which: fc.nat(30) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('set' as const),
      endpoints: fc.uniqueArray(limited, { selector: ({ id }) => id, minLength: 1 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(60) }) },
);

const maxWaitMs = 70;
const maxWaiting = 5;

interface Asked {
  readonly caller: AbortController;
  readonly endsAt: number;
  picked?: Picked<Limited>;
  error?: unknown;
}

const turn = () => new Promise(resolve => setImmediate(resolve));

describe('whatever comes, goes, fails and gives up', () => {
  it('no endpoint has more than its limit, who waits is served in order, and nobody waits in vain', async () => {
    const plan = fc.record({
      policy: fc.constantFrom(
        roundRobin(),
        leastRequests(),
        consistent(),
        consistent(undefined, { loadFactor: 1.1 }),
      ),
      outlier: fc.constantFrom(false as const, { consecutiveFailures: 1, baseEjectionMs: 50 }),
      steps: fc.array(step, { minLength: 50, maxLength: 100 }),
    });
    let grants = 0;
    let waited = 0;
    const property = fc.asyncProperty(plan, async ({ policy, outlier, steps }) => {
      const clock = new ManualClock();
      const feed = new Feed<Limited>();
      const concurrency = ({ max }: Limited) => max;
      const random = seededRandom(5);
      const lb = new LoadBalancer({
        endpoints: feed,
        policy,
        outlier,
        concurrency,
        maxWaitMs,
        maxWaiting,
        clock,
        random,
      });
      const open: Asked[] = [];
      let line: Asked[] = [];
      let set: readonly Limited[] = [];
      const give = async (endpoints: readonly Limited[]) => {
        set = endpoints;
        await feed.give(endpoints);
      };
      await give([{ id: 'a', weight: 1, max: 1 }]);

      /** Takes over who was served or refused since, and checks that it was their turn. */
      const look = (aborted?: Asked) => {
        const now = clock.now();
        let stillWaiting = false;
        for (const asked of line) {
          if (asked.picked !== undefined) {
            // Nobody is served before one that came earlier and waits on
            expect(stillWaiting).toBe(false);
            open.push(asked);
            grants++;
          } else if (asked.error === undefined) stillWaiting = true;
          else if (asked !== aborted)
            expect(now >= asked.endsAt || set.every(({ weight }) => weight === 0)).toBe(true);
        }
        line = line.filter(({ picked, error }) => picked === undefined && error === undefined);
        const { waiting, inFlight, endpoints } = lb.snapshot();
        expect([waiting, inFlight]).toEqual([line.length, open.length]);
        expect(line.length).toBeLessThanOrEqual(maxWaiting);
        for (const asked of line) expect(asked.endsAt).toBeGreaterThan(now);
        for (const { weight, state, inFlight, limit } of endpoints) {
          const free =
            weight > 0 && inFlight < limit! && (state === 'up' || (state === 'probing' && inFlight === 0));
          if (line.length > 0) expect(free).toBe(false);
        }
      };

      const acquire = async (key: number, timeoutMs: number | undefined) => {
        const caller = new AbortController();
        const before = new Map(lb.snapshot().endpoints.map(({ id, inFlight }) => [id, inFlight]));
        const asked: Asked = { caller, endsAt: clock.now() + Math.min(maxWaitMs, timeoutMs ?? Infinity) };
        lb.acquire({ key: `${key}`, timeoutMs, signal: caller.signal }).then(
          picked => {
            asked.picked = picked;
          },
          error => {
            asked.error = error;
          },
        );
        await turn();
        if (asked.picked !== undefined) {
          const { id } = asked.picked.endpoint;
          expect(before.get(id)!).toBeLessThan(set.find(each => each.id === id)!.max);
          expect(line).toEqual([]);
          open.push(asked);
        } else if (asked.error === undefined) {
          line.push(asked);
          waited++;
        } else {
          const inVain = set.every(({ weight }) => weight === 0) ? 'empty' : 'full';
          expect(asked.error).toMatchObject({ reason: inVain });
          if (inVain === 'full') expect(line.length).toBe(maxWaiting);
        }
      };

      for (const step of steps) {
        let aborted: Asked | undefined;
        if (step.do === 'acquire') {
          await acquire(step.key, step.timeoutMs);
        } else if (step.do === 'done') {
          const [ended] = open.splice(step.which % Math.max(1, open.length), 1);
          ended?.picked?.done(step.ok === undefined ? undefined : { ok: step.ok });
        } else if (step.do === 'abort') {
          aborted = line[step.which % Math.max(1, line.length)];
          aborted?.caller.abort('enough');
        } else if (step.do === 'set') await give(step.endpoints);
        else await clock.advance(step.ms);
        await turn();
        look(aborted);
      }
      await lb.close();
      await turn();
      for (const asked of line) expect(asked.error).toMatchObject({ code: 'ASHLAR_LB_CLOSED' });
      for (const { picked } of open) picked?.done();
      expect(lb.snapshot()).toMatchObject({ waiting: 0, inFlight: 0 });
      expect(clock.sleeping).toBe(0);
    });
    await fc.assert(property, { seed: 8, numRuns: 60 });
    // The schedules do what they are for
    expect(Math.min(grants, waited)).toBeGreaterThan(150);
  }, 30_000);
});
