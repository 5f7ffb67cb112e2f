import { randomUUID } from 'node:crypto';
import { type Redis as RedisServer, startRedis, startTcpProxy, type TcpProxy } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { redisStore } from '../src/adapters/redis.ts';
import { conformance } from '../src/conformance.ts';
import type { ManagedStore } from '../src/index.ts';

describeWith('redis', 'on Redis', () => {
  let server: RedisServer;
  let proxy: TcpProxy;
  let admin: Redis;
  let redis: Redis;

  beforeAll(async () => {
    server = await startRedis();
    proxy = await startTcpProxy({ target: server.port });
    admin = new Redis(server.port);
    redis = new Redis(proxy.port, { lazyConnect: true });
  });
  afterAll(async () => {
    admin.disconnect();
    await proxy.stop();
    await server.stop();
  });

  conformance(
    { describe, it },
    async () => {
      const prefix = randomUUID();
      const stores: ManagedStore[] = [];
      const open = () => {
        const store = redisStore({ redis, prefix });
        stores.push(store);
        return store;
      };
      return {
        store: open(),
        other: async () => open(),
        lose: async () => void (await admin.flushall()),
        break: async () => proxy.cut(),
        async [Symbol.asyncDispose]() {
          await Promise.all(stores.map(store => store.close()));
        },
      };
    },
    { name: 'redisStore', features: { others: true, loses: true, breaks: true } },
  );
});
