import { redisStore } from '@ashlar/store/redis';
import { type Redis as Server, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { redisTier } from '../../../src/adapters/redis.ts';
import { Cache } from '../../../src/index.ts';
import { patient } from '../../support/redis/sessions.ts';

describeWith('redis', 'a store with the prefix of a tier', () => {
  let server: Server;
  let redis: Redis;
  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  it.each(['pubsub', 'tracking'] as const)(
    'keeps its entries, and its changes, with %s',
    async invalidation => {
      const prefix = `shop-${invalidation}`;
      const store = redisStore({ redis, prefix });
      onTestFinished(() => store.close());
      await store.set('user:1', Buffer.from('of the store'));

      const remote = redisTier({ redis, prefix, invalidation });
      const cache = new Cache<string, string>({ max: 10, remote, load: async id => `row ${id}` });
      onTestFinished(() => cache.close());
      await expect.poll(() => cache.snapshot().remote?.session.connected, patient).toBe(true);
      expect(await cache.get('user:1')).toBe('row user:1');
      await cache.clear();
      expect(await cache.get('user:1')).toBe('row user:1');

      const found = await store.get('user:1');
      expect(Buffer.from(found?.value ?? []).toString()).toBe('of the store');
      await store.set('user:2', Buffer.from('another'));
      const keys: string[] = [];
      for await (const { key } of store.list('')) keys.push(key);
      expect(keys).toEqual(['user:1', 'user:2']);
      expect(await cache.get('user:2')).toBe('row user:2');
    },
  );
});
