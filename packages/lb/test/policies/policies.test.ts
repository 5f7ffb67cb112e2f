import { seededRandom } from '@ashlar/core';
import { ManualClock } from '@ashlar/core/testing';
import { HashRing } from '@ashlar/hash-ring';
import { describe, expect, it, vi } from 'vitest';
import {
  consistent,
  type Endpoint,
  LoadBalancer,
  leastRequests,
  type Picked,
  type PolicyFactory,
  random,
  roundRobin,
} from '../../src/index.ts';
import { Feed } from '../support/discovery/feed.ts';

const ids = (...names: string[]) => names.map(id => ({ id }));
const keys = Array.from({ length: 1_000 }, (_, index) => `product:${index}`);

function picks<E extends Endpoint>(lb: LoadBalancer<E>, count: number): string {
  return Array.from({ length: count }, () => lb.pick().endpoint.id).join('');
}

describe('roundRobin', () => {
  it('goes round in the order of the endpoints', () => {
    expect(picks(new LoadBalancer({ endpoints: ids('a', 'b', 'c'), policy: roundRobin() }), 7)).toBe(
      'abcabca',
    );
  });

  it('goes on where it was when the set changes', async () => {
    const feed = new Feed<Endpoint>();
    const lb = new LoadBalancer({ endpoints: feed, policy: roundRobin() });
    await feed.give(ids('a', 'b', 'c', 'd'));
    expect(picks(lb, 2)).toBe('ab');
    await feed.give(ids('x', 'a', 'b', 'd'));
    expect(picks(lb, 3)).toBe('dxa');
    await feed.give(ids('y', 'z'));
    expect(picks(lb, 3)).toBe('yzy');
    await lb.close();
  });
});

describe('a draw among many that are skipped', () => {
  it.each([
    ['random', random(), [1, 2, 5]],
    ['leastRequests', leastRequests(), [1, 2, 5]],
    ['roundRobin', roundRobin(), [1, 1, 1]],
  ] as const)('is fair to those that are left: %s', (_, policy, weights) => {
    const endpoints = Array.from({ length: 40 }, (__, index) => ({
      id: `${index}`,
      weight: weights[index % 3]!,
    }));
    const lb = new LoadBalancer({ endpoints, policy, random: seededRandom(5) });
    const exclude = endpoints.slice(3).map(({ id }) => id);
    for (let i = 0; i < 16_000; i++) lb.pick({ exclude }).done({ ok: true });
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    for (const [index, weight] of weights.entries()) {
      const share = lb.snapshot().endpoints[index]!.picked / 16_000;
      expect(Math.abs(share / (weight / total) - 1)).toBeLessThan(0.08);
    }
  });
});

describe('leastRequests', () => {
  it('gives a request to the one of two that has less to do for its weight', () => {
    const endpoints = [{ id: 'a', weight: 3 }, { id: 'b' }];
    const lb = new LoadBalancer({ endpoints, policy: leastRequests(), random: seededRandom(5) });
    for (let i = 0; i < 400; i++) lb.pick();
    const [a, b] = lb.snapshot().endpoints.map(({ inFlight }) => inFlight);
    expect([a, b]).toEqual([300, 100]);
  });

  it('keeps away from one that answers slowly', () => {
    const lb = new LoadBalancer({ endpoints: ids('slow', 'b', 'c', 'd'), random: seededRandom(5) });
    for (let i = 0; i < 1_000; i++) {
      const picked = lb.pick();
      if (picked.endpoint.id !== 'slow') picked.done({ ok: true });
    }
    expect(lb.snapshot().endpoints[0]?.picked).toBeLessThan(3);
  });

  it('spreads far better than chance when nothing ends', () => {
    const busiest = (policy: ReturnType<typeof random>) => {
      const endpoints = Array.from({ length: 100 }, (_, index) => ({ id: `${index}` }));
      const lb = new LoadBalancer({ endpoints, policy, random: seededRandom(5) });
      for (let i = 0; i < 1_000; i++) lb.pick();
      return Math.max(...lb.snapshot().endpoints.map(({ inFlight }) => inFlight));
    };
    expect(busiest(leastRequests())).toBeLessThanOrEqual(12);
    expect(busiest(random())).toBeGreaterThanOrEqual(16);
  });
});

describe('leastRequests, of one that fails', () => {
  const failing = (policy: PolicyFactory, retryAfterMs?: number) => {
    const now = { ms: 0 };
    const clock = { now: () => now.ms, sleep: () => new Promise<void>(() => {}) };
    const endpoints = ids('bad', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
    const lb = new LoadBalancer({ endpoints, policy, clock, outlier: false, random: seededRandom(5) });
    const underWay: Picked<Endpoint>[] = [];
    for (; now.ms < 60_000; now.ms += 5) {
      const picked = lb.pick();
      if (picked.endpoint.id !== 'bad') underWay.push(picked);
      else picked.done({ ok: false, ...(retryAfterMs && { retryAfterMs }) });
      if (underWay.length > 2) underWay.shift()?.done({ ok: true });
    }
    return lb.snapshot().endpoints[0]!.failed;
  };

  it('gives it far less than its part, and less the longer it asked to be left alone', () => {
    // 12 000 requests, two of them in flight at a time: 1 500 would be its part
    const without = failing(leastRequests({ penaltyMs: 0 }));
    const withIt = failing(leastRequests());
    expect(without).toBeGreaterThan(1_500);
    expect(withIt).toBeLessThan(30);
    expect(failing(leastRequests(), 120_000)).toBeLessThan(withIt);
  });

  it('refuses a penalty that is none', () => {
    expect(() => leastRequests({ penaltyMs: Number.NaN })).toThrow(
      '`penaltyMs` must be a number of milliseconds of at least 0, got NaN (number)',
    );
  });
});

describe('consistent', () => {
  it('follows the endpoints as a new ring of them would place the keys', async () => {
    const feed = new Feed<Endpoint>();
    const lb = new LoadBalancer({ endpoints: feed, policy: consistent() });
    const many = Array.from({ length: 30 }, (_, index) => ({ id: `many ${index}`, weight: 1 + (index % 3) }));
    for (const set of [
      ids('a', 'b'),
      ids('b', 'c'),
      [{ id: 'c', weight: 2 }, { id: 'b' }, { id: 'd', weight: 0.5 }],
      many,
      many.slice(1),
      ids('z'),
    ]) {
      await feed.give(set);
      const ring = new HashRing(set);
      for (const key of keys) expect(lb.pick({ key }).endpoint.id).toBe(ring.get(key));
    }
    await lb.close();
  });

  it('moves only the keys of an endpoint that is ejected, and brings them back', async () => {
    const clock = new ManualClock();
    const lb = new LoadBalancer({ endpoints: ids('a', 'b', 'c', 'd'), policy: consistent(), clock });
    const owners = () =>
      keys.map(key => {
        const picked = lb.pick({ key });
        picked.done({ ok: true });
        return picked.endpoint.id;
      });
    const before = owners();
    const key = keys[before.indexOf('a')]!;
    for (let i = 0; i < 5; i++) lb.pick({ key }).done({ ok: false });
    const away = owners();
    expect(away).not.toContain('a');
    expect(away.filter((id, index) => before[index] !== 'a' && id !== before[index])).toEqual([]);
    await clock.advance(30_000);
    expect(owners()).toEqual(before);
  });

  it('sends a retry of a key to the next in its order of preference, always the same', () => {
    const endpoints = ids('a', 'b', 'c', 'd', 'e');
    const ring = new HashRing(endpoints);
    const lb = new LoadBalancer({ endpoints, policy: consistent(() => ring) });
    for (const key of keys) {
      const [first, second] = ring.getN(key, 2);
      expect(lb.pick({ key }).endpoint.id).toBe(first);
      expect(lb.pick({ key, exclude: [first!] }).endpoint.id).toBe(second);
    }
  });

  it('keeps every endpoint within its bound, spreads a hot key, and is sticky while there is room', () => {
    const endpoints = [...ids('a', 'b', 'c', 'd'), { id: 'e', weight: 2 }];
    const lb = new LoadBalancer({ endpoints, policy: consistent(undefined, { loadFactor: 1.25 }) });
    for (let total = 1; total <= 300; total++) {
      lb.pick({ key: 'hot' });
      for (const { inFlight, weight } of lb.snapshot().endpoints) {
        expect(inFlight).toBeLessThanOrEqual(Math.ceil((1.25 * total * weight) / 6));
      }
    }
    const idle = new LoadBalancer({ endpoints, policy: consistent(undefined, { loadFactor: 1.25 }) });
    const free = new LoadBalancer({ endpoints, policy: consistent() });
    for (const key of keys) {
      const picked = idle.pick({ key });
      expect(picked.endpoint.id).toBe(free.pick({ key }).endpoint.id);
      picked.done({ ok: true });
    }
  });

  it('goes over the bound rather than to nobody', () => {
    const lb = new LoadBalancer({
      endpoints: ids('a', 'b'),
      policy: consistent(undefined, { loadFactor: 1 }),
    });
    for (let i = 0; i < 20; i++) expect(lb.pick({ key: 'k', exclude: ['a'] }).endpoint.id).toBe('b');
  });

  it('asks for a new placement at each change, with the endpoints as they are', async () => {
    const feed = new Feed<Endpoint>();
    const place = vi.fn((endpoints: readonly Endpoint[]) => new HashRing(endpoints));
    const lb = new LoadBalancer({ endpoints: feed, policy: consistent(place) });
    const first = [{ id: 'a' }, { id: 'b', weight: 2, zone: 'z' }];
    await feed.give(first);
    await feed.give(structuredClone(first));
    await feed.give([...first, { id: 'drained', weight: 0 }]);
    expect(place.mock.calls).toEqual([[first], [first]]);
    await lb.close();
  });

  it('refuses what it cannot use', () => {
    expect(() => consistent(7 as never)).toThrow(
      '`place` must be a function, got 7 (number); write `endpoints => new HashRing(endpoints)`',
    );
    expect(() => consistent(undefined, { loadFactor: 0.9 })).toThrow(
      '`loadFactor` must be a number of at least 1',
    );
    expect(() => consistent(undefined, { factor: 2 } as never)).toThrow('consistent has no option `factor`');
  });
});
