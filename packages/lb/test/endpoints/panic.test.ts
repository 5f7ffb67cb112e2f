import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it } from 'vitest';
import { type Endpoint, LoadBalancer, type LoadBalancerOptions, roundRobin } from '../../src/index.ts';
import { Feed } from '../support/discovery/feed.ts';
import { heard } from '../support/heard.ts';
import { fail, ids, pickOf, shares, stateOf } from '../support/policies/picking.ts';

const intervalMs = 1_000;

function balancer(count: number, options: Partial<LoadBalancerOptions<Endpoint>> = {}) {
  const clock = new ManualClock();
  const ill = new Set<string>();
  const lb = new LoadBalancer<Endpoint>({
    endpoints: ids(count),
    policy: roundRobin(),
    clock,
    health: {
      check: async ({ endpoint }) => !ill.has(endpoint.id),
      intervalMs,
      jitterPercent: 0,
      healthyAfter: 1,
      unhealthyAfter: 1,
    },
    ...options,
  });
  return { lb, clock, ill };
}

describe('the panic threshold', () => {
  it('lets all take requests when ejected and unhealthy ones together leave too few, and tells so', async () => {
    const messages = heard('panic');
    const { lb, clock, ill } = balancer(4);
    await clock.advance(0);
    fail(lb, 'a', 5);
    ill.add('b');
    await clock.advance(intervalMs);
    expect(lb.snapshot().panicking).toBe(false);
    expect(shares(lb, 20)).toEqual({ c: 10, d: 10 });
    ill.add('c');
    await clock.advance(intervalMs);
    expect(lb.snapshot().panicking).toBe(true);
    expect(shares(lb, 40)).toEqual({ a: 10, b: 10, c: 10, d: 10 });
    expect(['a', 'b', 'c', 'd'].map(id => stateOf(lb, id))).toEqual([
      'ejected',
      'unhealthy',
      'unhealthy',
      'up',
    ]);
    ill.clear();
    await clock.advance(intervalMs);
    expect(shares(lb, 30)).toEqual({ b: 10, c: 10, d: 10 });
    expect(messages.stop()).toEqual([
      { balancer: 'lb', panicking: true, usable: 1, total: 4 },
      { balancer: 'lb', panicking: false, usable: 2, total: 4 },
    ]);
    await lb.close();
  });

  it.each([
    [4, 50, 2, false],
    [4, 50, 3, true],
    [4, 0, 4, false],
    [4, 100, 1, true],
    [10, 30, 7, false],
    [10, 30, 8, true],
    [1, 50, 1, true],
  ])(
    'of %i endpoints with a threshold of %i percent and %i unhealthy: %s',
    async (count, panicPercent, out, panics) => {
      const { lb, clock, ill } = balancer(count, { panicPercent });
      for (const { id } of ids(count).slice(0, out)) ill.add(id);
      await clock.advance(0);
      expect(lb.snapshot().panicking).toBe(panics);
      if (panics) expect(Object.keys(shares(lb, 50))).toHaveLength(count);
      else if (out === count)
        expect(() => lb.pick()).toThrow(expect.objectContaining({ reason: 'unhealthy' }));
      else expect(Object.keys(shares(lb, 50))).toHaveLength(count - out);
      await lb.close();
    },
  );

  it('counts no endpoint of weight 0 and none that is drained, and they take no requests in it either', async () => {
    const feed = new Feed<Endpoint>();
    const { lb, clock, ill } = balancer(0, { endpoints: feed });
    await feed.give([{ id: 'a' }, { id: 'b' }, { id: 'c', weight: 0 }, { id: 'd' }]);
    await lb.drain('d');
    ill.add('a');
    await clock.advance(0);
    expect(lb.snapshot().panicking).toBe(false);
    ill.add('b');
    await clock.advance(intervalMs);
    expect(lb.snapshot().panicking).toBe(true);
    expect(shares(lb, 20)).toEqual({ a: 10, b: 10 });
    await lb.close();
  });

  it('goes on probing in it, and ends when enough are back', async () => {
    const { lb, clock } = balancer(4, { outlier: { maxEjectionPercent: 100 }, health: false });
    for (const id of ['a', 'b', 'c']) fail(lb, id, 5);
    expect(lb.snapshot().panicking).toBe(true);
    expect(shares(lb, 40)).toEqual({ a: 10, b: 10, c: 10, d: 10 });
    expect(stateOf(lb, 'a')).toBe('ejected');
    await clock.advance(30_000);
    const [probe, another] = [pickOf(lb, 'a'), pickOf(lb, 'a')];
    another!.done({ ok: false });
    expect(stateOf(lb, 'a')).toBe('probing');
    probe!.done({ ok: true });
    expect(stateOf(lb, 'a')).toBe('up');
    expect(lb.snapshot().panicking).toBe(false);
    await lb.close();
  });

  it('serves those who wait as soon as it begins', async () => {
    const { lb, clock, ill } = balancer(2, { concurrency: 1, panicPercent: 60 });
    await clock.advance(0);
    await lb.drain('b');
    const held = lb.pick();
    const waiting = lb.acquire();
    ill.add('b');
    await clock.advance(intervalMs);
    lb.undrain('b');
    expect(lb.snapshot().panicking).toBe(true);
    expect((await waiting).endpoint.id).toBe('b');
    held.done();
    await lb.close();
  });
});
