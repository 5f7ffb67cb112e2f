import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it } from 'vitest';
import {
  consistent,
  type Endpoint,
  LoadBalancer,
  peakEwma,
  roundRobin,
  type ZoneAwareOptions,
  zoneAware,
} from '../../src/index.ts';
import { Asking, candidate } from '../support/policies/candidates.ts';

const near = ['a', 'b', 'c', 'd'].map(id => candidate(`near ${id}`, 'here'));
const far = ['a', 'b', 'c', 'd', 'e', 'f'].map(id => candidate(`far ${id}`, id < 'd' ? 'there' : 'yonder'));
const isNear = (id: string | undefined) => id?.startsWith('near') === true;

function asking(up: readonly (typeof near)[number][], options: Partial<ZoneAwareOptions> = {}): Asking {
  return new Asking(zoneAware({ zone: 'here', ...options }), [...up, ...far], [...near, ...far]);
}

describe('a policy that prefers its zone', () => {
  it.each([
    [4, 1],
    [3, 1], // 1.4 times three quarters
    [2, 0.7],
    [1, 0.35],
    [0, 0],
  ])('keeps of the requests, when %i of 4 endpoints of the zone are up, %f', (up, expected) => {
    expect(asking(near.slice(0, up)).part(20_000, isNear)).toBeCloseTo(expected, 1.7);
  });

  it('sends what does not stay to all other zones alike', () => {
    const bench = asking(near.slice(0, 2));
    for (const { endpoint } of far) {
      expect(bench.part(30_000, id => id === endpoint.id)).toBeCloseTo(0.3 / far.length, 1.9);
    }
  });

  it('goes elsewhere when nobody in the zone can take a request, and back when nobody elsewhere can', () => {
    const bench = asking(near);
    expect(bench.part(1_000, isNear, ({ endpoint }) => isNear(endpoint.id))).toBe(0);
    const half = asking(near.slice(0, 2));
    expect(half.part(1_000, isNear, ({ endpoint }) => !isNear(endpoint.id))).toBe(1);
    expect(
      half.part(
        1_000,
        id => id === undefined,
        () => true,
      ),
    ).toBe(1);
  });

  it('evens the load out between zones when it knows how much comes from its own', () => {
    // 4 of 10 endpoints are here: of half of all requests they can take four fifths, of a tenth all
    expect(asking(near, { trafficShare: 0.5 }).part(20_000, isNear)).toBeCloseTo(0.8, 1.7);
    expect(asking(near, { trafficShare: 0.1 }).part(1_000, isNear)).toBe(1);
    expect(asking(near.slice(0, 2), { trafficShare: 0.5 }).part(20_000, isNear)).toBeCloseTo(0.5, 1.7);
  });

  it('counts weights, not heads', () => {
    const heavy = candidate('near heavy', 'here', 9);
    const light = candidate('near light', 'here', 1);
    const all = [heavy, light, ...far];
    const bench = new Asking(zoneAware({ zone: 'here' }), [light, ...far], all);
    expect(bench.part(20_000, isNear)).toBeCloseTo(0.14, 1.7);
    bench.update([heavy, ...far], all);
    expect(bench.part(1_000, isNear)).toBe(1);
  });

  it('is the policy within where there is one zone, and keeps keys together', () => {
    const bench = new Asking(zoneAware({ zone: 'here', policy: roundRobin() }), near);
    const order = [bench.pick(), bench.pick(), bench.pick(), bench.pick()];
    expect(new Set(order).size).toBe(4);
    const keyed = asking(near, { policy: consistent(undefined, { loadFactor: 1.25 }) });
    for (const key of ['user:1', 'user:2', 'user:3']) expect(keyed.pick(key)).toBe(keyed.pick(key));
  });

  it('hears how requests went', () => {
    const [slow, quick] = [candidate('near slow', 'here'), candidate('near quick', 'here')];
    const bench = new Asking(zoneAware({ zone: 'here', policy: peakEwma() }), [slow, quick, ...far]);
    bench.policy.settled?.(slow, { ok: true, latencyMs: 5_000 }, 0);
    bench.policy.settled?.(quick, { ok: true, latencyMs: 5 }, 0);
    expect(bench.part(1_000, id => id === 'near quick')).toBeGreaterThan(0.9);
  });

  it('overflows in a balancer while endpoints are ejected, and stays again when they are back', async () => {
    const clock = new ManualClock();
    const endpoints: Endpoint[] = [...near, ...far].map(({ endpoint }) => endpoint);
    const options = {
      policy: zoneAware({ zone: 'here', policy: roundRobin() }),
      outlier: { consecutiveFailures: 3 },
      clock,
    };
    await using lb = new LoadBalancer<Endpoint>({ endpoints, ...options });
    const bad = new Set<string>();
    const count = (times: number) => {
      let stayed = 0;
      for (let i = 0; i < times; i++) {
        const picked = lb.pick();
        if (isNear(picked.endpoint.id)) stayed++;
        picked.done({ ok: !bad.has(picked.endpoint.id) });
      }
      return stayed / times;
    };
    expect(count(200)).toBe(1);
    for (const id of ['near a', 'near b']) bad.add(id);
    count(200);
    expect(count(2_000)).toBeCloseTo(0.7, 0.9);
    bad.clear();
    await clock.advance(60_000);
    count(500);
    expect(count(200)).toBe(1);
  });

  it('refuses what it cannot honor', () => {
    expect(() => zoneAware({ zone: '' })).toThrow('`zone` must be a string that is not empty, got ""');
    expect(() => zoneAware({ zone: 'a', overprovisioning: 0.9 })).toThrow('`overprovisioning` must be');
    expect(() => zoneAware({ zone: 'a', trafficShare: 0 })).toThrow('`trafficShare` must be');
    expect(() => zoneAware({ zone: 'a', policy: 'random' as never })).toThrow('`policy` must be a policy');
  });
});
