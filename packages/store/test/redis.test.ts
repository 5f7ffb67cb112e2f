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
import { afterAll, beforeAll, describe, it } from 'vitest';
import { storeConformance } from '../src/conformance.ts';
import { redisSubject } from './redis-subject.ts';

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
});
