import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Candidate,
  type Endpoint,
  LoadBalancer,
  leastRequests,
  roundRobin,
  shuffleShard,
} from '../../src/index.ts';
import { Asking, candidate } from '../support/policies/candidates.ts';

const named = (count: number) => Array.from({ length: count }, (_, index) => candidate(`e${index}`));
const keys = Array.from({ length: 3_000 }, (_, index) => `tenant:${index}`);

/** Those that a key's requests reach. */
function shardOf(bench: Asking, key: string): string[] {
  const reached: string[] = [];
  const skip = ({ endpoint }: Candidate<Endpoint>) => reached.includes(endpoint.id);
  for (let id = bench.pick(key, skip); id !== undefined; id = bench.pick(key, skip)) reached.push(id);
  return reached.sort();
}

describe('shuffle shards', () => {
  it('are 28 of 8 endpoints by 2, each with its part of the keys', () => {
    const bench = new Asking(shuffleShard({ size: 2, policy: roundRobin() }), named(8));
    const sizes = new Map<string, number>();
    for (const key of keys) {
      const shard = shardOf(bench, key);
      expect(shard).toHaveLength(2);
      sizes.set(shard.join(' '), (sizes.get(shard.join(' ')) ?? 0) + 1);
    }
    expect(sizes.size).toBe(28);
    const fair = keys.length / 28;
    for (const size of sizes.values()) expect(Math.abs(size / fair - 1)).toBeLessThan(0.4);
  });

  it('keep a key to its own endpoints when these are out: it fails, and most others do not', () => {
    const all = named(8);
    const bench = new Asking(shuffleShard({ size: 2, policy: roundRobin() }), all);
    const shard = shardOf(bench, 'noisy');
    const down = all.filter(({ endpoint }) => !shard.includes(endpoint.id));
    bench.update(down, all);
    expect(bench.pick('noisy')).toBeUndefined();
    const hurt = keys.filter(key => bench.pick(key) === undefined).length / keys.length;
    expect(hurt).toBeGreaterThan(0.02);
    expect(hurt).toBeLessThan(0.06); // 1 of 28 shards
    bench.update(all, all);
    expect(shardOf(bench, 'noisy')).toEqual(shard);
  });

  it('change by one endpoint at most when one joins or leaves, and few of them', () => {
    const moves = (before: number, after: number, zones: number) => {
      const zoned = (count: number) =>
        Array.from({ length: count }, (_, index) =>
          candidate(`e${index}`, zones > 1 ? `z${index % zones}` : undefined),
        );
      const policy = shuffleShard({ size: 3, policy: roundRobin() });
      const [one, two] = [new Asking(policy, zoned(before)), new Asking(policy, zoned(after))];
      let moved = 0;
      for (const key of keys.slice(0, 300)) {
        const old = shardOf(one, key);
        const young = shardOf(two, key);
        const left = old.filter(id => !young.includes(id)).length;
        expect(left).toBeLessThanOrEqual(1);
        moved += left;
      }
      return moved / 300;
    };
    expect(moves(12, 13, 1)).toBeCloseTo(3 / 13, 1);
    expect(moves(13, 12, 1)).toBeCloseTo(3 / 13, 1);
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 20 }), fc.integer({ min: 1, max: 5 }), (count, zones) => {
        moves(count, count + 1, zones);
      }),
      { seed: 4, numRuns: 10 },
    );
  });

  it('span zones where these are told', () => {
    const zoned = named(9).map(({ endpoint }, index) => candidate(endpoint.id, `z${index % 3}`));
    const bench = new Asking(shuffleShard({ size: 3, policy: roundRobin() }), zoned);
    for (const key of keys.slice(0, 200)) {
      const zones = shardOf(bench, key).map(id => Number(id.slice(1)) % 3);
      expect(new Set(zones).size).toBe(3);
    }
  });

  it('are passed by without a key, and when there are no more endpoints than one has', async () => {
    const bench = new Asking(shuffleShard({ size: 2 }), named(8));
    const reached = new Set(Array.from({ length: 500 }, () => bench.pick()));
    expect(reached.size).toBe(8);
    const small = new Asking(shuffleShard({ size: 3, policy: leastRequests() }), named(3));
    expect(new Set(Array.from({ length: 100 }, () => small.pick('key'))).size).toBe(3);
    await using lb = new LoadBalancer({
      endpoints: named(8).map(({ endpoint }) => endpoint),
      policy: shuffleShard({ size: 2 }),
    });
    const tried = await lb.run(async ({ endpoint }) => endpoint.id, { key: 'tenant:1' });
    const others: string[] = [];
    await lb
      .run(async ({ endpoint }) => Promise.reject(others.push(endpoint.id)), {
        key: 'tenant:1',
        idempotent: true,
      })
      .catch(() => {});
    expect(new Set([tried, ...others]).size).toBe(2);
  });

  it('refuse what they cannot honor', () => {
    expect(() => shuffleShard({ size: 0 })).toThrow('`size` must be');
    expect(() => shuffleShard({ size: 2, policy: {} as never })).toThrow('`policy` must be a policy');
  });
});
