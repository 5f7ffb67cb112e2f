import {
  type RedisCluster,
  type Redis as RedisServer,
  startRedis,
  startRedisCluster,
} from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Cluster, Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis-5';
import { createClient, createCluster } from 'redis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { fencedSet } from '../../src/adapters/redis.ts';
import { storeConformance } from '../../src/conformance.ts';
import { StaleTokenError } from '../../src/index.ts';
import { redisSubject } from './subject.ts';

const runner = { describe, it };
const features = { others: true, loses: true, breaks: true };

describeWith('redis', 'on Redis', () => {
  let server: RedisServer;
  let admin: Redis;
  beforeAll(async () => {
    server = await startRedis({ own: true });
    admin = new Redis(server.port);
  });
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });

  const clients = {
    'redisStore with ioredis 6': () => new Redis({ port: server.port, lazyConnect: true }),
    'redisStore with ioredis 5 and a key prefix': () =>
      new Redis5({ port: server.port, lazyConnect: true, keyPrefix: 'app:', db: 3 }),
    'redisStore with node-redis 5': () => createClient({ url: server.url, database: 2 }),
  };
  for (const [name, client] of Object.entries(clients)) {
    storeConformance(runner, () => redisSubject(client(), [admin])(), { name, features });
  }
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
  const clients = {
    'ioredis 6': () => new Cluster(nodes(), { lazyConnect: true, keyPrefix: 'app:' }),
    'node-redis 5': () => createCluster({ rootNodes: nodes().map(socket => ({ socket })) }),
  };
  for (const [name, client] of Object.entries(clients)) {
    const options = { name: `redisStore in a cluster, with ${name}`, features };
    storeConformance(runner, () => redisSubject(client(), admins)(), options);
  }

  const sinks = {
    ioredis: () => {
      const redis = new Cluster(nodes());
      onTestFinished(() => redis.disconnect());
      return redis;
    },
    'node-redis 5': async () => {
      const redis = createCluster({ rootNodes: nodes().map(socket => ({ socket })) });
      await redis.connect();
      onTestFinished(() => redis.destroy());
      return redis;
    },
  };
  it.each(Object.entries(sinks))(
    'fencedSet writes through %s to the nodes of its keys',
    async (name, open) => {
      const redis = await open();
      for (let i = 0; i < 12; i++) {
        await fencedSet(redis, `${name} ${i}`, 'new', { token: 2n, holder: 'a' });
        const stale = fencedSet(redis, `${name} ${i}`, 'old', { token: 1n, holder: 'b' });
        await expect(stale).rejects.toThrow(StaleTokenError);
      }
    },
  );
});
