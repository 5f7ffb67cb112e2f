import { type Redis as Server, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { redisTier } from '../../../src/adapters/redis.ts';
import { Cache, type CacheOptions } from '../../../src/index.ts';
import { patient } from '../../support/redis/sessions.ts';

type Options = Partial<CacheOptions<string, string>>;

const count = 1_500;
/** With all that a pattern of Redis gives a meaning to. */
const prefix = 'a*b?[c-d]^\\';

describeWith('redis', 'dead values', () => {
  let server: Server;
  let admin: Redis;
  beforeAll(async () => {
    server = await startRedis({ own: true });
    admin = new Redis(server.port);
  });
  beforeEach(async () => {
    await admin.flushall();
  });
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });

  describe.each(['pubsub', 'tracking'] as const)('with %s', invalidation => {
    async function start(options: Options = {}, user: { username?: string; password?: string } = {}) {
      const redis = new Redis({ port: server.port, lazyConnect: true, ...user });
      const remote = redisTier({ redis, prefix, invalidation, boundMs: 100, timeoutMs: 10_000 });
      const load = async (key: string) => `row ${key}`;
      const cache = new Cache<string, string>({ max: 10_000, remote, load, ...options });
      onTestFinished(() => cache.close());
      await expect.poll(() => cache.snapshot().remote?.session.connected, patient).toBe(true);
      return cache;
    }

    const keys = (name: string, n = count) => Array.from({ length: n }, (_, i) => `${name} ${i}`);

    async function fill(cache: Cache<string, string>, names: readonly string[]): Promise<void> {
      await cache.getMany(names);
      await expect.poll(() => cache.snapshot().loading, patient).toBe(0);
    }

    /** The names on the server, but for the history of the tier. */
    const names = async () => (await admin.keys('*')).filter(name => !name.endsWith(':meta'));

    it('leave the server after `clear`, and nothing else does', async () => {
      const others = [`{${prefix}}:x:1`, `{${prefix}}`, '{ab}:v:1', '{aXbYc}:v:1', '{other}:v:1'];
      for (const name of others) await admin.set(name, '["epoch",0,-1,0,1,[]]\nbytes');
      await admin.lpush(`{${prefix}}:cache:v:list`, 'not ours');
      const cache = await start();
      await fill(cache, keys('old'));
      await cache.clear();
      await fill(cache, ['new']);
      const left = [...others, `{${prefix}}:cache:v:list`, `{${prefix}}:cache:v:new`].sort();
      await expect.poll(async () => (await names()).sort(), patient).toEqual(left);
      await expect.poll(() => cache.peek('new'), patient).toBe('row new');
    });

    it('leave the server after `invalidateTags`, and those with other tags stay', async () => {
      const tags = (key: string) => [key.split(' ')[0]!, 'x'.repeat(700)];
      const cache = await start({ tags });
      const other = await start();
      await fill(cache, [...keys('red'), ...keys('blue', 100)]);
      await fill(other, keys('plain', 100));
      await other.getMany(keys('blue', 100));
      const before = other.snapshot();
      await cache.invalidateTags(['red']);
      await expect.poll(async () => (await names()).length, patient).toBe(200);
      // a collection is no change: nobody drops anything for it
      await expect.poll(() => other.peek('blue 7'), patient).toBe('row blue 7');
      const { resets, invalidations } = other.snapshot();
      expect({ resets, invalidations }).toEqual({
        resets: before.resets,
        invalidations: before.invalidations + 1,
      });
    });

    it('leave it also when the cache that dropped them is gone, or the history is', async () => {
      const first = await start();
      await fill(first, keys('old'));
      await first.clear();
      await first.close();
      const second = await start();
      await expect.poll(async () => (await names()).length, patient).toBe(0);
      await fill(second, keys('old'));
      await admin.del(`{${prefix}}:cache:meta`);
      await expect.poll(async () => (await names()).length, patient).toBe(0);
    });

    it('are collected in few steps, over all sessions, and once', async () => {
      const caches = await Promise.all([start(), start(), start()]);
      const scans = async () =>
        Number(/cmdstat_scan:calls=(\d+)/u.exec(await admin.info('commandstats'))?.[1] ?? 0);
      await fill(caches[0]!, keys('old'));
      await admin.config('RESETSTAT');
      await caches[0]!.clear();
      await expect.poll(async () => (await names()).length, patient).toBe(0);
      const { sequence } = caches[0]!.snapshot().remote!.session;
      await expect.poll(() => admin.hget(`{${prefix}}:cache:meta`, 'swept'), patient).toBe(`${sequence}`);
      // one more for what came while a table of the server grew or shrank
      expect(await scans()).toBeLessThanOrEqual(2 * Math.ceil(count / 250) + 2);
    });

    it('stay where the user may not SCAN, and the cache works', async () => {
      await admin.call(
        'ACL',
        'SETUSER',
        'limited',
        'on',
        '>secret',
        'allkeys',
        'allchannels',
        '+@all',
        '-scan',
      );
      const cache = await start({}, { username: 'limited', password: 'secret' });
      await fill(cache, keys('old', 100));
      await cache.clear();
      await cache.set('new', '1');
      expect(await cache.get('new')).toBe('1');
      await expect.poll(() => admin.call('ACL', 'LOG').then(log => (log as []).length), patient).toBe(1);
      expect((await names()).length).toBe(101);
      expect(cache.snapshot()).toMatchObject({ remote: { connected: true, failures: 0 } });
    });
  });
});
