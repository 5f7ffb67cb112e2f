import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it } from 'vitest';
import { LoadBalancer, roundRobin } from '../../src/index.ts';
import { heard } from '../support/heard.ts';
import { fail, ids, pickOf, stateOf } from '../support/policies/picking.ts';

const limited = { status: 429, headers: { 'retry-after': '7' } };

function balancer() {
  const clock = new ManualClock();
  return { clock, lb: new LoadBalancer({ endpoints: ids(2), policy: roundRobin(), clock }) };
}

describe('a failure without blame', () => {
  it('is retried on another endpoint, and ejects none: a 429', async () => {
    const { lb, clock } = balancer();
    const outcomes = heard('outcome');
    const request = () =>
      lb.run(async ({ endpoint }) => (endpoint.id === 'a' ? limited : { status: 200, headers: {} }), {
        idempotent: true,
      });
    for (let i = 0; i < 200; i++) {
      expect(await request()).toMatchObject({ status: 200 });
      await clock.advance(100);
    }
    const [a, b] = lb.snapshot().endpoints;
    expect([a?.state, b?.state]).toEqual(['up', 'up']);
    expect(a?.failed).toBeGreaterThan(50);
    const ofA = outcomes.stop().filter(message => (message as { endpoint: string }).endpoint === 'a');
    expect(ofA[0]).toMatchObject({ outcome: { ok: false, blame: false, retryAfterMs: 7_000 } });
  });

  it('is what a `classify` or a `done` says', async () => {
    const { lb } = balancer();
    for (let i = 0; i < 20; i++) {
      await lb.run(async () => 'no', { classify: () => ({ ok: false, blame: false, retry: false }) });
      lb.pick().done({ ok: false, blame: false });
    }
    expect(['a', 'b'].map(id => stateOf(lb, id))).toEqual(['up', 'up']);
    fail(lb, 'a', 5);
    expect(stateOf(lb, 'a')).toBe('ejected');
  });

  it('brings an endpoint back when its probe gets one', async () => {
    const { lb, clock } = balancer();
    fail(lb, 'a', 5);
    await clock.advance(30_000);
    pickOf(lb, 'a')!.done({ ok: false, blame: false });
    expect(stateOf(lb, 'a')).toBe('up');
  });
});
