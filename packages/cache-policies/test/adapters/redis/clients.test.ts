import { randomUUID } from 'node:crypto';
import type { RedisLike } from '@ashlar/store/redis-connection';
import { type RedisCluster, type Redis as Server, startRedis, startRedisCluster } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Cluster, Redis } from 'ioredis';
import { createClient, createCluster } from 'redis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type RedisInvalidation, redisTier } from '../../../src/adapters/redis.ts';
import { type MakeTierSubject, tierConformance } from '../../../src/conformance.ts';
import { Cache, writeThrough } from '../../../src/index.ts';
import { patient } from '../../support/redis/sessions.ts';

const features = { empties: true, breaks: true };
const modes: readonly RedisInvalidation[] = ['pubsub', 'tracking'];

/** Tiers of one prefix over such clients; the administrators are of all servers. */
function subject(
  client: () => RedisLike,
  invalidation: RedisInvalidation,
  admins: readonly Redis[],
): MakeTierSubject {
  return async () => {
    const prefix = randomUUID();
    const open = () => redisTier({ redis: client(), prefix, invalidation, boundMs: 100 });
    const everywhere = (...args: [string, ...string[]]) =>
      Promise.all(admins.map(admin => admin.call(...args)));
    return {
      tier: open(),
      other: async () => open(),
      async empty() {
        await everywhere('FLUSHALL');
      },
      async break() {
        for (const type of ['normal', 'pubsub']) await everywhere('CLIENT', 'KILL', 'TYPE', type);
      },
      async [Symbol.asyncDispose]() {},
    };
  };
}

describeWith('redis', 'with node-redis', () => {
  let server: Server;
  let admin: Redis;
  beforeAll(async () => {
    server = await startRedis({ own: true });
    admin = new Redis(server.port);
  });
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });

  const client = () => createClient({ url: `${server.url}/1`, RESP: 3 });
  for (const mode of modes) {
    const options = { name: `redisTier with node-redis, ${mode}`, features };
    tierConformance({ describe, it }, () => subject(client, mode, [admin])(), options);
  }

  it.each(modes)('a cache shares with one over ioredis, and comes back by itself: %s', async invalidation => {
    const prefix = randomUUID();
    const clients = [createClient({ url: server.url }), new Redis({ port: server.port, lazyConnect: true })];
    const [one, two] = clients.map(redis => {
      const remote = redisTier({ redis, prefix, invalidation, boundMs: 100 });
      const cache = new Cache<string, string>({ max: 10, remote });
      onTestFinished(() => cache.close());
      return cache;
    }) as [Cache<string, string>, Cache<string, string>];
    const isConnected = () => [one, two].every(cache => cache.snapshot().remote!.connected);
    await expect.poll(isConnected, patient).toBe(true);
    await one.set('a', 'ü');
    expect(await two.get('a')).toBe('ü');
    await two.set('a', 'new');
    await expect.poll(() => one.get('a'), patient).toBe('new');
    for (const type of ['normal', 'pubsub']) await admin.call('CLIENT', 'KILL', 'TYPE', type);
    await expect.poll(() => one.get('a').then(() => one.peek('a')), patient).toBe('new');
    await expect
      .poll(
        () =>
          one.delete('a').then(
            () => true,
            () => false,
          ),
        patient,
      )
      .toBe(true);
    await expect.poll(() => two.get('a'), patient).toBeUndefined();
  });
});

describeWith('redis', 'on a Redis Cluster', () => {
  let cluster: RedisCluster;
  let admins: Redis[];
  beforeAll(async () => {
    cluster = await startRedisCluster();
    admins = cluster.nodes.map(({ port }) => new Redis(port));
  });
  afterAll(async () => {
    for (const admin of admins) admin.disconnect();
    await cluster.stop();
  });

  const nodes = () => cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
  const clients: readonly (readonly [string, RedisInvalidation, () => RedisLike])[] = [
    ['ioredis', 'pubsub', () => new Cluster(nodes(), { lazyConnect: true, keyPrefix: 'app:' })],
    ['node-redis', 'tracking', () => createCluster({ rootNodes: nodes().map(socket => ({ socket })) })],
  ];
  for (const [name, mode, client] of clients) {
    const options = { name: `redisTier in a cluster with ${name}, ${mode}`, features };
    tierConformance({ describe, it }, () => subject(client, mode, admins)(), options);
  }

  /** Gives the slot of the prefix to the next node, with all that is in it. */
  async function move(prefix: string): Promise<void> {
    const slot = String(await admins[0]!.call('CLUSTER', 'KEYSLOT', `{${prefix}}`));
    const rows = (await admins[0]!.call('CLUSTER', 'SLOTS')) as [number, number, [string, number, string]][];
    const owner = rows.find(([first, last]) => first <= Number(slot) && Number(slot) <= last)![2][1];
    const from = cluster.nodes.findIndex(({ port }) => port === owner);
    const to = (from + 1) % cluster.nodes.length;
    const ids = await Promise.all(admins.map(admin => admin.call('CLUSTER', 'MYID') as Promise<string>));
    await admins[to]!.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[from]!);
    await admins[from]!.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[to]!);
    for (;;) {
      const keys = (await admins[from]!.call('CLUSTER', 'GETKEYSINSLOT', slot, '100')) as string[];
      if (keys.length === 0) break;
      const place = ['127.0.0.1', String(cluster.nodes[to]!.port), '', '0', '5000'];
      await admins[from]!.call('MIGRATE', ...place, 'REPLACE', 'KEYS', ...keys);
    }
    for (const index of [to, from]) await admins[index]!.call('CLUSTER', 'SETSLOT', slot, 'NODE', ids[to]!);
    for (const admin of admins) await admin.call('CLUSTER', 'SETSLOT', slot, 'NODE', ids[to]!);
  }

  it.each(clients)(
    'follows its keys to another node, and serves nothing old: %s, %s',
    async (_, invalidation, client) => {
      const prefix = randomUUID();
      const rows = new Map([['a', 'old']]);
      const write = writeThrough<string, string>({
        write: async (key, value) => void rows.set(key, value!),
      });
      const [writer, reader] = [0, 1].map(() => {
        const remote = redisTier({ redis: client(), prefix, invalidation, boundMs: 200 });
        const load = async (key: string) => rows.get(key);
        const cache = new Cache<string, string>({
          max: 10,
          remote,
          load,
          write,
          whenAway: 'owe',
          leaseWaitMs: 0,
        });
        onTestFinished(() => cache.close());
        return cache;
      }) as [Cache<string, string>, Cache<string, string>];
      const isConnected = () => [writer, reader].every(cache => cache.snapshot().remote!.connected);
      for (let round = 0; round < 2; round++) {
        await expect.poll(isConnected, patient).toBe(true);
        const before = rows.get('a')!;
        await expect.poll(() => reader.get('a').then(() => reader.peek('a')), patient).toBe(before);
        await move(prefix);
        await writer.set('a', `new ${round}`);
        await expect.poll(() => writer.snapshot().remote!.pendingInvalidations, patient).toBe(0);
        await expect.poll(() => reader.get('a'), patient).toBe(`new ${round}`);
        await expect.poll(isConnected, patient).toBe(true);
        expect(await reader.get('a')).toBe(`new ${round}`);
      }
    },
  );
});
