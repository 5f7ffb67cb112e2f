import { InvalidOptionError, seededRandom } from '@ashlar/core';
import { ManualClock } from '@ashlar/core/testing';
import { JumpHash } from '@ashlar/hash-ring';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  consistent,
  type Endpoint,
  LoadBalancer,
  type LoadBalancerOptions,
  type PolicyFactory,
  random,
} from '../../src/index.ts';
import { Feed } from '../support/discovery/feed.ts';
import { Noting } from '../support/policies/noting.ts';
import { fail, ids, pickOf, shares } from '../support/policies/picking.ts';

const slowStartMs = 10_000;

function balancer(options: Partial<LoadBalancerOptions<Endpoint>> = {}) {
  const clock = new ManualClock();
  const feed = new Feed<Endpoint>();
  const policies: Noting<Endpoint>[] = [];
  const policy = () => {
    const noting = new Noting<Endpoint>();
    policies.push(noting);
    return noting;
  };
  const lb = new LoadBalancer<Endpoint>({
    endpoints: feed,
    policy: policy as unknown as PolicyFactory,
    slowStartMs,
    clock,
    ...options,
  });
  /** The weights at the next pick. */
  const weights = () => {
    lb.pick().done();
    return policies[0]!.weights;
  };
  return { lb, clock, feed, weights, updates: () => policies[0]!.updates };
}

describe('slow start', () => {
  it('gives one that joins a tenth of its weight, growing to all of it, and the first set all at once', async () => {
    const { lb, clock, feed, weights } = balancer();
    await feed.give([{ id: 'a' }]);
    expect(weights()).toEqual({ a: 1 });
    await feed.give([{ id: 'a' }, { id: 'b', weight: 4 }]);
    expect(weights()).toEqual({ a: 1, b: 0.4 });
    expect(lb.snapshot().endpoints[1]).toMatchObject({ weight: 4, slowStartPercent: 10 });
    const seen: number[] = [];
    for (let step = 1; step <= 11; step++) {
      await clock.advance(slowStartMs / 10);
      seen.push(weights()['b']! / 4);
    }
    expect(seen).toEqual([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1]);
    expect(lb.snapshot().endpoints[1]).not.toHaveProperty('slowStartPercent');
    await lb.close();
  });

  it('is gone through after an ejection and after a drain, also by weight, but not when one must come back', async () => {
    const { lb, clock, feed, weights } = balancer();
    await feed.give(ids(4));
    fail(lb, 'a', 5);
    await clock.advance(30_000);
    pickOf(lb, 'a')!.done({ ok: true });
    expect(weights()).toEqual({ a: 0.1, b: 1, c: 1, d: 1 });
    await clock.advance(slowStartMs);
    await lb.drain('b');
    lb.undrain('b');
    expect(weights()).toEqual({ a: 1, b: 0.1, c: 1, d: 1 });
    await clock.advance(slowStartMs);
    await feed.give([{ id: 'a' }, { id: 'b' }, { id: 'c', weight: 0 }, { id: 'd' }]);
    await feed.give([{ id: 'a' }, { id: 'b' }, { id: 'c', weight: 2 }, { id: 'd' }]);
    expect(weights()).toEqual({ a: 1, b: 1, c: 0.2, d: 1 });
    await clock.advance(slowStartMs);
    fail(lb, 'a', 5);
    await feed.give([{ id: 'a' }]);
    expect(weights()).toEqual({ a: 1 });
    await lb.close();
  });

  it('keeps its pace when the weight changes', async () => {
    const { lb, clock, feed, weights } = balancer();
    await feed.give([{ id: 'a' }]);
    await feed.give([{ id: 'a' }, { id: 'b' }]);
    await clock.advance(slowStartMs / 2);
    await feed.give([{ id: 'a' }, { id: 'b', weight: 6 }]);
    expect(weights()).toEqual({ a: 1, b: 3 });
    await lb.close();
  });

  it('is off if absent', async () => {
    const { lb, feed, weights } = balancer({ slowStartMs: 0 });
    await feed.give([{ id: 'a' }]);
    await feed.give(ids(2));
    expect(weights()).toEqual({ a: 1, b: 1 });
    await lb.close();
  });

  it('updates the policy in few steps, whoever starts when and however often is picked', async () => {
    const { lb, clock, feed, updates } = balancer();
    await feed.give([{ id: 'first' }]);
    const joined: Endpoint[] = [{ id: 'first' }];
    for (let number = 0; number < 20; number++) {
      joined.push({ id: `${number}` });
      await feed.give([...joined]);
      await clock.advance(37);
    }
    const before = updates();
    for (let now = 0; now < 3 * slowStartMs; now += 10) {
      await clock.advance(10);
      lb.pick().done();
    }
    expect(updates() - before).toBeLessThanOrEqual(11);
    expect(lb.snapshot().endpoints.every(endpoint => endpoint.slowStartPercent === undefined)).toBe(true);
    await lb.close();
  });

  it("is never more than two steps behind Envoy's line, and never above it but for the first tenth", async () => {
    const waits = fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 30 });
    const property = fc.asyncProperty(waits, async waits => {
      const { lb, clock, feed, weights } = balancer();
      await feed.give([{ id: 'a' }]);
      await feed.give(ids(2));
      for (const ms of waits) {
        await clock.advance(ms);
        const line = Math.min(1, Math.max(0.1, clock.now() / slowStartMs));
        const weight = weights()['b']!;
        expect(weight).toBeLessThanOrEqual(line + 1e-9);
        expect(weight).toBeGreaterThanOrEqual(line - 0.2);
      }
      await lb.close();
    });
    await fc.assert(property, { seed: 4, numRuns: 60 });
  });

  it('gives shares by it', async () => {
    const { lb, feed } = balancer({ policy: random(), random: seededRandom(5) });
    await feed.give([{ id: 'a' }]);
    await feed.give(ids(2));
    const { b = 0 } = shares(lb, 11_000);
    expect(b).toBeGreaterThan(850);
    expect(b).toBeLessThan(1_150);
    await lb.close();
  });

  it('is refused at once with a policy that cannot do it', async () => {
    const policy = consistent(
      endpoints => new JumpHash(endpoints.map(({ id, weight = 1 }) => ({ id, weight }))),
    );
    const make = (options: object) => () => new LoadBalancer({ endpoints: ids(2), policy, ...options });
    expect(make({ slowStartMs })).toThrow(InvalidOptionError);
    expect(make({})).not.toThrow();
    for (const slowStartMs of [-1, Number.NaN, '5']) {
      const bad = slowStartMs as number;
      expect(() => new LoadBalancer({ endpoints: ids(1), slowStartMs: bad })).toThrow('`slowStartMs`');
    }
    const { lb, feed } = balancer({ policy });
    await feed.give(ids(2));
    expect(lb.snapshot()).toMatchObject({ discovery: 'waiting', endpoints: [] });
    await lb.close();
  });

  it('is not for the first set that is good', async () => {
    const { lb, feed, weights } = balancer();
    await feed.give([{ id: 'a', weight: 100 }]);
    expect(lb.snapshot()).toMatchObject({ discovery: 'waiting', endpoints: [] });
    await feed.give(ids(2));
    expect(weights()).toEqual({ a: 1, b: 1 });
    await lb.close();
  });
});
