import { redisStore } from '@ashlar/store/redis';
import { type Redis as RedisServer, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { memoryDriver, messages, Queue } from '../../src/index.ts';

describeWith([{ own: 'redis' }], 'idempotency records in a Redis that others use too', () => {
  let server: RedisServer;
  let redis: Redis;
  beforeAll(async () => {
    server = await startRedis({ own: true });
    redis = new Redis(server.port);
  });
  afterAll(async () => {
    redis?.disconnect();
    await server?.stop();
  });

  it('are under the prefix of their store alone: the changes that others watch are not pushed out', async () => {
    const others = redisStore({ redis, prefix: 'app' });
    const store = redisStore({ redis, prefix: 'app-once' });
    onTestFinished(async () => {
      await others.close();
      await store.close();
    });
    await others.set('setting', new TextEncoder().encode('1'));
    const before = await snapshot();
    const queue = new Queue(memoryDriver(), { messages: messages<{ charge: { n: number } }>() });
    const handled: number[] = [];
    await queue.subscribe('charge', ({ n }) => void handled.push(n), {
      idempotency: { store, mode: 'external', key: ({ n }: { n: number }) => `${n}` },
    });
    await queue.publishMany(
      'charge',
      [1, 2, 3, 1, 2, 3].map(n => ({ n })),
    );
    await expect
      .poll(() => queue.stats('charge'), { timeout: 20_000 })
      .toMatchObject({ waiting: 0, active: 0 });
    await queue.close();
    expect(handled.sort()).toEqual([1, 2, 3]);
    const after = await snapshot();
    const own = [...after.keys()].filter(name => !before.has(name));
    expect(own.length).toBeGreaterThan(0);
    expect(own.filter(name => !name.includes('app-once'))).toEqual([]);
    // What was there before is as it was
    for (const [name, bytes] of before) expect(after.get(name)?.equals(bytes), name).toBe(true);
  });

  /** All that is in the server, by its key. */
  async function snapshot(): Promise<Map<string, Buffer>> {
    const names = await redis.keys('*');
    const dumps = await Promise.all(names.map(name => redis.dumpBuffer(name)));
    return new Map(names.map((name, index) => [name, dumps[index]!]));
  }
});
