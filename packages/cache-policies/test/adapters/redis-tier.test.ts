import { type Redis as Server, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { createClientPool, createSentinel } from 'redis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { redisTier } from '../../src/adapters/redis.ts';
import { tierConformance } from '../../src/conformance.ts';
import { Cache } from '../../src/index.ts';
import { connections, patient } from '../support/redis/sessions.ts';
import { redisSubject } from '../support/redis/tiers.ts';
import { entry, nobody } from '../support/tiers.ts';

const features = { empties: true, breaks: true, loses: true };

describeWith('redis', 'on Redis', () => {
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

  const subjects = [
    ['pubsub', 'pubsub', {}],
    ['tracking', 'tracking', {}],
    ['tracking with a key prefix', 'tracking', { keyPrefix: 'app:' }],
  ] as const;
  for (const [name, invalidation, options] of subjects) {
    const make = () => redisSubject(admin, invalidation, { port: server.port, ...options })();
    tierConformance({ describe, it }, make, { name: `redisTier, ${name}`, features });
  }

  it.each([Number.MAX_VALUE, 1e17, 1e14, 2 ** 53])('keeps what is fresh for %d ms', async ms => {
    const redis = new Redis({ port: server.port, lazyConnect: true });
    const remote = redisTier({ redis, prefix: `long ${ms}` });
    const options = { max: 10, remote, load: async (key: string) => `row ${key}` };
    await using cache = new Cache<string, string>({ ...options, ttlMs: ms });
    await using stale = new Cache<string, string>({ ...options, ttlMs: 1_000, staleMs: ms });
    for (const [key, each] of Object.entries({ a: cache, b: stale })) {
      await each.get(key);
      await expect.poll(() => remote.get(key)).toEqual(new TextEncoder().encode(`"row ${key}"`));
      await each.set(key, 'set');
      expect(await remote.get(key)).toEqual(new TextEncoder().encode('"set"'));
    }
  });

  it('lets others publish what they like on its channel', async () => {
    const redis = new Redis({ port: server.port, lazyConnect: true });
    const told: string[] = [];
    const listener = {
      invalidated: ({ keys }: { keys: readonly string[] }) => told.push(...keys),
      reset: (reason: string) => told.push(reason),
      connection: (state: string) => told.push(state),
    };
    const tier = redisTier({ redis, prefix: 'noisy', boundMs: 100 });
    const [session, other] = [tier.open(listener as never), tier.open(listener as never)];
    await expect.poll(() => told.filter(what => what === 'connected')).toHaveLength(2);
    told.length = 0;
    for (const junk of ['', '{}', 'null', '[1]', '[1,2,3,4,5]'])
      await admin.publish('{noisy}:cache:feed', junk);
    await other.invalidate(['key']);
    await expect.poll(() => told).toEqual(['key']);
    await Promise.all([session.close(), other.close()]);
  });

  it('is read over the connection of a session, or else one for all such reads at once', async () => {
    const redis = new Redis({ port: server.port, lazyConnect: true });
    const duplicate = vi.spyOn(redis, 'duplicate');
    const tier = redisTier({ redis, prefix: 'alone' });
    const readAll = () => Promise.all(Array.from({ length: 20 }, (_, i) => tier.get(String(i))));
    expect(new Set(await readAll())).toEqual(new Set([undefined]));
    expect(duplicate).toHaveBeenCalledTimes(1);
    await expect.poll(() => connections(admin, 'operating'), patient).toEqual([]);
    const session = tier.open(nobody);
    expect(duplicate).toHaveBeenCalledTimes(3);
    await session.write(new Map([['7', entry('seven')]]));
    expect(String((await readAll())[7])).toBe(String(entry('seven').value));
    expect(duplicate).toHaveBeenCalledTimes(3);
    await session.close();
    expect(await tier.get('7')).toEqual(entry('seven').value);
    expect(duplicate).toHaveBeenCalledTimes(4);
    expect(redis.status).toBe('wait');
  });
});

describe('redisTier', () => {
  const redis = { duplicate: () => {} };
  const sentinel = createSentinel({ name: 'ashlar', sentinelRootNodes: [{ host: '127.0.0.1', port: 1 }] });
  it.each([
    [{ redis, prefix: '' }, '`prefix` must be a string of 1 to 200 characters without braces, got ""'],
    [{ redis, prefix: '{a}' }, '`prefix` must be'],
    [
      { redis: { ...redis, sendCommand() {} }, prefix: 'a' },
      '`redis` must be a client of ioredis or of node-redis 5',
    ],
    [{ redis: createClientPool(), prefix: 'a' } as never, '`redis` must be an object with duplicate()'],
    [{ redis: sentinel, prefix: 'a' } as never, '`redis` must be an object with duplicate()'],
    [{ redis, prefix: 'a', boundMs: 1 }, '`boundMs` must be'],
    [{ redis, prefix: 'a', timeoutMs: 0 }, '`timeoutMs` must be'],
    [
      { redis, prefix: 'a', invalidation: 'feed' } as never,
      '`invalidation` must be "pubsub" or "tracking", got "feed"',
    ],
    [{ redis, prefix: 'a', ttlMs: 5 } as never, 'redisTier has no option `ttlMs`'],
  ])('refuses %j', (options, message) => {
    expect(() => redisTier(options)).toThrow(message);
  });
});
