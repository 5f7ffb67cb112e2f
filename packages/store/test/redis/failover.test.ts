import { eventually, startRedis, startRedisCluster } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Cluster, Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { redisStore } from '../../src/adapters/redis.ts';
import { Mirror } from '../../src/conformance/tools.ts';
import { Lease } from '../../src/index.ts';
import { bytes } from '../support/bytes.ts';
import { ending } from '../support/stores.ts';

const soon = { withinMs: 40_000 };

describeWith({ own: 'redis' }, 'Redis with Sentinel', () => {
  it('goes on with the new primary, with greater tokens and versions of its own', async () => {
    const server = ending(await startRedis({ replicas: 1, sentinels: 3, downAfterMs: 500 }));
    const redis = new Redis({
      sentinels: server.sentinels.map(({ port }) => ({ host: '127.0.0.1', port })),
      name: server.masterName,
      lazyConnect: true,
    });
    const store = ending(redisStore({ redis, timeoutMs: 3_000 }));
    await using mirror = new Mirror(store, '');
    const versions = new Set<string>();
    for (let i = 0; i < 20; i++) versions.add(await store.set('key', bytes(`before ${i}`)));
    const before = (await store.claim('short', 'a', 300))!;
    const lease = await Lease.acquire(store, 'long', { ttlMs: 60_000 });
    await server.kill();
    const after = await eventually(async () => {
      const claim = await store.claim('short', 'b', 60_000);
      if (claim === undefined) throw new Error('it is still held');
      return claim;
    }, soon);
    expect(after.token).toBeGreaterThan(before.token);
    for (let i = 0; i < 20; i++) versions.add(await store.set('key', bytes(`after ${i}`)));
    expect(versions.size).toBe(40);
    await eventually(async () => expect(mirror.state.get('key')).toBe('after 19'), soon);
    expect(mirror.resets).toBeGreaterThan(0);
    lease.assertHeld();
    await lease.release();
  });
});

describeWith({ own: 'redis' }, 'a Redis Cluster', () => {
  it('fails in time while its node is dead, and goes on when it is back', async () => {
    const { nodes, stop } = await startRedisCluster();
    onTestFinished(stop);
    const redis = new Cluster(
      nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
      { lazyConnect: true },
    );
    const store = ending(redisStore({ redis, timeoutMs: 3_000 }));
    await using mirror = new Mirror(store, '');
    await store.set('key', bytes('before'));
    const sizes = await Promise.all(nodes.map(({ port }) => sizeOf(port)));
    const node = nodes[sizes.findIndex(size => size > 0)]!;
    await node.kill();
    await expect(store.set('key', bytes('meanwhile'))).rejects.toMatchObject({
      code: expect.stringMatching(/^ASHLAR_STORE_/),
    });
    await node.restart();
    await eventually(() => store.set('other', bytes('after')), soon);
    await eventually(async () => expect(Object.fromEntries(mirror.state)).toEqual({ other: 'after' }), soon);
    expect(mirror.resets).toBeGreaterThan(0);
  });
});

async function sizeOf(port: number): Promise<number> {
  const client = new Redis(port);
  try {
    return await client.dbsize();
  } finally {
    client.disconnect();
  }
}
