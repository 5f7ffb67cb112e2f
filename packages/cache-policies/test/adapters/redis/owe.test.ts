import { randomUUID } from 'node:crypto';
import { type Redis as Server, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { redisTier } from '../../../src/adapters/redis.ts';
import { Cache } from '../../../src/index.ts';
import { patient } from '../../support/redis/sessions.ts';

describeWith('redis', "a cache over a Redis that is away, with `whenAway: 'owe'`", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startRedis({ own: true, config: { appendonly: 'yes' } });
  });
  afterAll(() => server.stop());

  const ways = [
    ['killed', () => server.kill(), () => server.restart()],
    ['paused', async () => server.pause(), async () => server.resume()],
  ] as const;

  it.each(ways)(
    'changes what others share, and they see it when Redis is back: %s',
    async (_, leave, back) => {
      const prefix = randomUUID();
      const rows = new Map(['x', 'y', 'z', 'kept'].map(key => [key, 'old']));
      const start = () => {
        const redis = new Redis({ port: server.port, lazyConnect: true });
        const remote = redisTier({ redis, prefix, boundMs: 100, timeoutMs: 300 });
        const load = async (key: string) => rows.get(key);
        const tags = (key: string) => [`tag-${key}`];
        const cache = new Cache<string, string>({
          max: 100,
          remote,
          load,
          tags,
          leaseWaitMs: 0,
          whenAway: 'owe',
        });
        onTestFinished(() => cache.close());
        return cache;
      };
      const [writer, other] = [start(), start()];
      const isConnected = (cache: Cache<string, string>) => () => cache.snapshot().remote!.connected;
      for (const cache of [writer, other]) {
        await expect.poll(isConnected(cache), patient).toBe(true);
        for (const key of rows.keys()) {
          await expect.poll(() => cache.get(key).then(() => cache.peek(key)), patient).toBe('old');
        }
      }

      await leave();
      let isAway = true;
      onTestFinished(async () => {
        if (isAway) await back();
      });
      rows.set('x', 'new');
      await writer.set('x', 'new');
      rows.delete('y');
      await writer.delete('y');
      rows.set('z', 'new');
      await writer.invalidateTags(['tag-z']);
      expect(writer.snapshot()).toMatchObject({
        writeFailures: 0,
        remote: { pendingInvalidations: 3, owed: 3 },
      });
      for (const key of rows.keys()) expect(await writer.get(key)).toBe(rows.get(key));

      await back();
      isAway = false;
      await expect.poll(() => writer.snapshot().remote, patient).toMatchObject({ pendingInvalidations: 0 });
      for (const cache of [writer, other]) {
        await expect.poll(isConnected(cache), patient).toBe(true);
        await expect.poll(() => cache.get('y'), patient).toBeUndefined();
        for (const key of ['x', 'z', 'kept']) {
          await expect.poll(() => cache.get(key), patient).toBe(rows.get(key));
        }
      }
    },
  );
});
