import { randomUUID } from 'node:crypto';
import { type Redis as Server, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis, type RedisOptions } from 'ioredis';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { redisTier } from '../../../src/adapters/redis.ts';
import { Cache, writeThrough } from '../../../src/index.ts';
import { deferred } from '../../support/caches.ts';
import { patient } from '../../support/redis/sessions.ts';

/** A client whose connections come back, and subscribe, only when they may. */
class Held extends Redis {
  static connecting: Promise<void> | undefined;
  static subscribing: Promise<void> | undefined;
  static subscriptions = 0;

  override duplicate(override?: Partial<RedisOptions>): Redis {
    return new Held({ ...this.options, ...override } as never);
  }

  override async connect(): Promise<void> {
    await Held.connecting;
    return super.connect();
  }

  override async call(...args: readonly unknown[]): Promise<unknown> {
    if (args[0] === 'subscribe') {
      Held.subscriptions++;
      await Held.subscribing;
    }
    return (super.call as (...args: readonly unknown[]) => Promise<unknown>)(...args);
  }
}

describeWith('redis', 'a cache whose connections are back one after the other', () => {
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

  it.each(['pubsub', 'tracking'] as const)(
    'keeps nothing that was deleted meanwhile, also when its first checks fail; told by %s',
    async invalidation => {
      const prefix = randomUUID();
      const rows = new Map([['y', 'old']]);
      const tier = (redis: Redis, timeoutMs: number) =>
        redisTier({ redis, prefix, invalidation, boundMs: 600_000, timeoutMs });
      const load = async (key: string) => rows.get(key);
      const write = writeThrough<string, string>({ write: async key => void rows.delete(key) });
      const options = { max: 100, load, onDisconnect: { serveMs: 600_000 } };
      const writer = new Cache<string, string>({
        ...options,
        write,
        remote: tier(new Redis({ port: server.port, lazyConnect: true }), 20_000),
      });
      const reader = new Cache<string, string>({
        ...options,
        // Its wait for the subscription is to be too long
        remote: tier(new Held({ port: server.port, lazyConnect: true }), 1_000),
      });
      const [mayConnect, maySubscribe] = [deferred<void>(), deferred<void>()];
      onTestFinished(async () => {
        mayConnect.resolve();
        maySubscribe.resolve();
        [Held.connecting, Held.subscribing] = [undefined, undefined];
        await Promise.all([writer.close(), reader.close()]);
      });
      const isConnected = (cache: Cache<string, string>) => () => cache.snapshot().remote!.connected;
      await expect.poll(() => reader.get('y').then(() => reader.peek('y')), patient).toBe('old');
      for (const cache of [writer, reader]) await expect.poll(isConnected(cache), patient).toBe(true);

      [Held.connecting, Held.subscribing] = [mayConnect.promise, maySubscribe.promise];
      for (const type of ['normal', 'pubsub']) await admin.call('CLIENT', 'KILL', 'TYPE', type);
      await expect.poll(isConnected(reader), patient).toBe(false);
      await expect.poll(isConnected(writer), patient).toBe(true);
      await expect
        .poll(
          () =>
            writer.delete('y').then(
              () => true,
              () => false,
            ),
          patient,
        )
        .toBe(true);
      expect(reader.peek('y')).toBe('old');

      // its operations are back: the position is known, and the wait for the subscription too long
      const before = Held.subscriptions;
      mayConnect.resolve();
      await expect.poll(() => Held.subscriptions, patient).toBeGreaterThan(before + 1);
      maySubscribe.resolve();
      await expect.poll(isConnected(reader), patient).toBe(true);
      expect(reader.peek('y')).toBeUndefined();
      expect(await reader.get('y')).toBeUndefined();
    },
  );
});
