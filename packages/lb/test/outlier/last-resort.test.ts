import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it } from 'vitest';
import { type Endpoint, LoadBalancer, type LoadBalancerOptions, roundRobin } from '../../src/index.ts';
import { fail, ids, stateOf } from '../support/policies/picking.ts';

const base = 30_000;

function balancer(count: number, options: Partial<LoadBalancerOptions<Endpoint>> = {}) {
  const clock = new ManualClock();
  const lb = new LoadBalancer<Endpoint>({ endpoints: ids(count), policy: roundRobin(), clock, ...options });
  const refusing = new Set<string>();
  const request = () =>
    lb.run(async ({ endpoint }) => {
      if (refusing.has(endpoint.id)) throw Object.assign(new Error('refused'), { outcome: 'NotExecuted' });
      return endpoint.id;
    });
  return { lb, clock, refusing, request };
}

describe('an ejected endpoint is the last resort', () => {
  it.each([2, 3, 4])(
    'of %i endpoints, when all others refuse: a success there ends its ejection',
    async count => {
      const { lb, refusing, request } = balancer(count);
      fail(lb, 'a', 5);
      for (const { id } of ids(count).slice(1)) refusing.add(id);
      // Of four, two can be ejected, which then take turns as the last resort
      for (let i = 0; i < 20 && stateOf(lb, 'a') !== 'up'; i++) await request().catch(() => {});
      expect(stateOf(lb, 'a')).toBe('up');
      for (let i = 0; i < 10; i++) expect(await request()).toBe('a');
    },
  );

  it('but gets nothing while another one works', async () => {
    const { lb, request } = balancer(2);
    fail(lb, 'a', 5);
    for (let i = 0; i < 10; i++) expect(await request()).toBe('b');
    expect(stateOf(lb, 'a')).toBe('ejected');
  });

  it('also for `pick`, and where none is eligible', () => {
    const { lb } = balancer(2);
    fail(lb, 'a', 5);
    const picked = lb.pick({ exclude: ['b'] });
    expect(picked.endpoint.id).toBe('a');
    picked.done({ ok: true });
    expect(stateOf(lb, 'a')).toBe('up');
  });

  it('but not while its checks fail', async () => {
    const healthy: Record<string, boolean> = { a: false, b: true, c: true };
    const health = {
      check: async ({ endpoint }: { endpoint: Endpoint }) => healthy[endpoint.id]!,
      intervalMs: 1_000,
    };
    const { lb, clock } = balancer(3, { health });
    fail(lb, 'a', 5);
    await clock.advance(5_000);
    expect(stateOf(lb, 'a')).toBe('unhealthy');
    expect(() => lb.pick({ exclude: ['b', 'c'] })).toThrow(expect.objectContaining({ reason: 'excluded' }));
    healthy['a'] = true;
    await clock.advance(5_000);
    expect(stateOf(lb, 'a')).toBe('ejected');
    expect(lb.pick({ exclude: ['b', 'c'] }).endpoint.id).toBe('a');
    await lb.close();
  });

  it('whose ejection a failure there does not prolong', async () => {
    const { lb, clock, refusing, request } = balancer(2);
    fail(lb, 'a', 5);
    refusing.add('a').add('b');
    await clock.advance(base / 2);
    await expect(request()).rejects.toThrow('refused');
    expect(lb.snapshot().endpoints[0]).toMatchObject({
      state: 'ejected',
      ejections: 1,
      returnsInMs: base / 2,
    });
  });

  it('not while another one is only at its limit, nor for a hedge, nor when it is excluded or drained', async () => {
    const { lb, clock, request } = balancer(2, { concurrency: 1, hedge: { delayMs: 5 } });
    fail(lb, 'a', 5);
    const held = lb.pick();
    expect(held.endpoint.id).toBe('b');
    expect(() => lb.pick()).toThrow(expect.objectContaining({ reason: 'full' }));
    expect(() => lb.pick({ exclude: ['a', 'b'] })).toThrow(expect.objectContaining({ reason: 'excluded' }));
    held.done({ ok: true });
    const slow = lb.run(({ signal }) => clock.sleep(50, signal), { idempotent: true });
    await clock.advance(60);
    await slow;
    expect(lb.snapshot()).toMatchObject({ hedges: 0, endpoints: [{ state: 'ejected', picked: 5 }, {}] });
    void lb.drain('a');
    expect(() => lb.pick({ exclude: ['b'] })).toThrow(expect.objectContaining({ reason: 'excluded' }));
    expect(await request()).toBe('b');
    await lb.close();
  });
});
