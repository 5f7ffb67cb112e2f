import { type Redis as Server, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { redisTier } from '../src/adapters/redis.ts';
import { conformance } from '../src/conformance-tier.ts';
import { redisSubject } from './support/redis-tiers.ts';

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

  const clients = { redisTier: {}, 'redisTier with a key prefix': { keyPrefix: 'app:' } };
  for (const [name, options] of Object.entries(clients)) {
    const make = () => redisSubject(admin, { port: server.port, ...options })();
    conformance({ describe, it }, make, { name, features });
  }

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
    for (const junk of ['', '{}', 'null', '[1]', '[1,2,3,4,5]']) await admin.publish('{noisy}:feed', junk);
    await other.invalidate(['key']);
    await expect.poll(() => told).toEqual(['key']);
    await Promise.all([session.close(), other.close()]);
  });

  it('is read without a session', async () => {
    const redis = new Redis({ port: server.port, lazyConnect: true });
    const tier = redisTier({ redis, prefix: 'alone' });
    expect(await tier.get('nothing')).toBeUndefined();
    expect(redis.status).toBe('wait');
  });
});

describe('redisTier', () => {
  const redis = { duplicate: () => {} };
  it.each([
    [{ redis, prefix: '' }, '`prefix` must be a string of 1 to 200 characters without braces, got ""'],
    [{ redis, prefix: '{a}' }, '`prefix` must be'],
    [{ redis: { ...redis, isCluster: true }, prefix: 'a' }, '`redis` must not be a Cluster'],
    [{ redis, prefix: 'a', boundMs: 1 }, '`boundMs` must be'],
    [{ redis, prefix: 'a', timeoutMs: 0 }, '`timeoutMs` must be'],
    [{ redis, prefix: 'a', ttlMs: 5 } as never, 'redisTier has no option `ttlMs`'],
  ])('refuses %j', (options, message) => {
    expect(() => redisTier(options)).toThrow(message);
  });
});
