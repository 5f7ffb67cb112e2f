import { describe, expect, it } from 'vitest';
import { consistent, LoadBalancer, roundRobin, shuffleShard, zoneAware } from '../../src/index.ts';
import { Feed } from '../support/discovery/feed.ts';

const endpoints = ['a', 'b', 'c', 'd', 'e', 'f'].map((id, index) => ({ id, zone: `z${index % 2}` }));

describe('a request that prefers an endpoint', () => {
  it.each([
    ['roundRobin', roundRobin()],
    ['consistent', consistent()],
    ['zoneAware', zoneAware({ zone: 'z1' })],
  ])('gets it, whatever the policy: %s', async (_, policy) => {
    const lb = new LoadBalancer({ endpoints, policy });
    expect(lb.pick({ prefer: 'c', key: 'x' }).endpoint.id).toBe('c');
    expect((await lb.acquire({ prefer: 'c', key: 'x' })).endpoint.id).toBe('c');
    expect(await lb.run(async ({ endpoint }) => endpoint.id, { prefer: 'c', key: 'x' })).toBe('c');
    expect(lb.snapshot().endpoints[2]!.picked).toBe(3);
  });

  it('leaves the turns of others as they are', () => {
    const lb = new LoadBalancer({ endpoints, policy: roundRobin() });
    const ids = Array.from({ length: 4 }, () => [lb.pick({ prefer: 'f' }), lb.pick()][1]!.endpoint.id);
    expect(ids).toEqual(['a', 'b', 'c', 'd']);
  });

  it('gets another one where that may not take it', async () => {
    const lb = new LoadBalancer({ endpoints, policy: roundRobin(), concurrency: 1 });
    const ids = [lb.pick({ prefer: 'e' }), lb.pick({ prefer: 'e' })].map(({ endpoint }) => endpoint.id);
    expect(ids).toEqual(['e', 'a']);
    const other = lb.pick({ prefer: 'b', exclude: ['b'] });
    expect(other.endpoint.id).not.toBe('b');
    other.done();
    lb.pick({ prefer: 'nobody' }).done();
    await lb.drain('f');
    expect(lb.pick({ prefer: 'f' }).endpoint.id).not.toBe('f');
    await lb.close();
  });

  it('gets another one where that is ejected, and for a retry', async () => {
    const lb = new LoadBalancer({ endpoints, policy: roundRobin(), outlier: { consecutiveFailures: 1 } });
    const tried: string[] = [];
    const failing = async ({ endpoint }: { endpoint: { id: string } }) => {
      tried.push(endpoint.id);
      if (endpoint.id === 'd') throw new Error('tired');
    };
    await lb.run(failing, { prefer: 'd', idempotent: true });
    await lb.run(failing, { prefer: 'd' });
    expect(tried).toEqual(['d', 'a', 'b']);
  });

  it('keeps to the shard of its key', () => {
    for (const policy of [
      shuffleShard({ size: 2 }),
      zoneAware({ zone: 'z1', policy: shuffleShard({ size: 1 }) }),
    ]) {
      const lb = new LoadBalancer({ endpoints, policy });
      const reached = endpoints.map(({ id }) => lb.pick({ prefer: id, key: 'tenant:1' }).endpoint.id);
      expect(new Set(reached).size).toBe(2);
    }
  });

  it('gets it after its wait', async () => {
    const feed = new Feed<{ id: string }>();
    const lb = new LoadBalancer({ endpoints: feed, policy: roundRobin() });
    const picked = [
      lb.acquire({ prefer: 'b' }),
      lb.run(async ({ endpoint }) => ({ endpoint }), { prefer: 'b' }),
    ];
    await feed.give([{ id: 'a' }, { id: 'b' }]);
    expect((await Promise.all(picked)).map(({ endpoint }) => endpoint.id)).toEqual(['b', 'b']);
    await lb.close();
  });

  it('is refused with something else than an id', async () => {
    const lb = new LoadBalancer({ endpoints });
    const endpoint = endpoints[0] as unknown as string;
    expect(() => lb.pick({ prefer: endpoint })).toThrow('write `endpoint.id`');
    await expect(lb.run(async () => {}, { prefer: endpoint })).rejects.toThrow('write `endpoint.id`');
  });
});
