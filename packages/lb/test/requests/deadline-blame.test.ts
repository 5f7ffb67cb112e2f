import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it } from 'vitest';
import {
  type Endpoint,
  LoadBalancer,
  type LoadBalancerOptions,
  type Policy,
  roundRobin,
} from '../../src/index.ts';
import { Noting } from '../support/policies/noting.ts';
import { fail, ids, pickOf } from '../support/policies/picking.ts';

function balancer(options: Partial<LoadBalancerOptions<Endpoint>> = {}) {
  const clock = new ManualClock();
  const lb = new LoadBalancer<Endpoint>({ endpoints: ids(2), policy: roundRobin(), clock, ...options });
  const taking = (ms: number) => () => clock.sleep(ms);
  const counts = () => lb.snapshot().endpoints.map(({ failed, canceled }) => ({ failed, canceled }));
  return { lb, clock, taking, counts };
}

describe('a deadline is the fault of an endpoint that had at least half of the time', () => {
  it('and not of one that got the request after a wait in line', async () => {
    const { lb, clock, taking, counts } = balancer({ concurrency: 1 });
    const results: unknown[] = [];
    // Twice as many requests as the endpoints can take
    for (let request = 0; request < 100; request++) {
      const running = lb.run(taking(60), { timeoutMs: 100 });
      results.push(running.catch(() => 'late'));
      await clock.advance(15);
    }
    await clock.advance(1_000);
    expect((await Promise.all(results)).filter(result => result === 'late').length).toBeGreaterThan(10);
    expect(counts()).toMatchObject([{ failed: 0 }, { failed: 0 }]);
  });

  it('nor of one that got the request from another that had used the time up', async () => {
    const { lb, clock, taking, counts } = balancer({ retry: { attemptTimeoutMs: 80 } });
    const late = lb.run(taking(1_000), { timeoutMs: 100, idempotent: true }).catch(error => error);
    await clock.advance(1_000);
    expect(await late).toMatchObject({ code: 'ASHLAR_LB_DEADLINE', timeoutMs: 100 });
    expect(counts()).toEqual([
      { failed: 1, canceled: 0 },
      { failed: 0, canceled: 1 },
    ]);
  });

  it.each([
    [51, { failed: 0, canceled: 1 }],
    [50, { failed: 1, canceled: 0 }],
  ])('after a wait of %i of 100 ms', async (waitedMs, expected) => {
    const { lb, clock, taking, counts } = balancer({ endpoints: [{ id: 'a' }], concurrency: 1 });
    const held = lb.pick();
    const late = lb.run(taking(1_000), { timeoutMs: 100 }).catch(() => {});
    await clock.advance(waitedMs);
    held.done({ ok: true });
    await clock.advance(1_000);
    await late;
    expect(counts()).toEqual([expected]);
  });
});

it('rejects who waits when the policy throws at the end of an ejection', async () => {
  const policies: Noting<Endpoint>[] = [];
  const policy = <E extends Endpoint>(): Policy<E> => {
    const made = new Noting<E>();
    policies.push(made as unknown as Noting<Endpoint>);
    return made;
  };
  const { lb, clock } = balancer({ policy, concurrency: 1, maxWaitMs: 100_000 });
  fail(lb, 'a', 5);
  const held = pickOf(lb, 'b')!;
  const waiting = lb.acquire().catch(error => error);
  policies[0]!.refuses = true;
  await clock.advance(30_000);
  expect(await waiting).toEqual(new Error('not now'));
  expect([lb.snapshot().waiting, clock.sleeping]).toEqual([0, 0]);
  policies[0]!.refuses = false;
  held.done({ ok: true });
  expect(pickOf(lb, 'a')).toBeDefined();
});
