import { type RedisServer, startRedis, startRedisCluster } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { type RedisInvalidation, redisTier } from '../../src/adapters/redis.ts';
import { Cache, TierUnfitError } from '../../src/index.ts';
import { patient } from '../support/redis/sessions.ts';

describeWith('redis', 'a server that is not fit for the tier', () => {
  /** A cache whose client is the user `app`. */
  function cacheOf({ port }: RedisServer, invalidation: RedisInvalidation) {
    const redis = new Redis({ port, username: 'app', password: 'secret', lazyConnect: true });
    const remote = redisTier({ redis, prefix: 'unfit', invalidation, boundMs: 100 });
    const cache = new Cache<string, string>({ max: 10, remote, load: async key => `row ${key}` });
    onTestFinished(() => cache.close());
    return cache;
  }

  async function refused(cache: Cache<string, string>, text: string): Promise<void> {
    const error = () => cache.set('key', 'value').catch((reason: Error) => reason.cause);
    await expect.poll(error, patient).toBeInstanceOf(TierUnfitError);
    expect(String(await error())).toContain(text);
    expect(await error()).toMatchObject({ code: 'ASHLAR_CACHE_POLICIES_TIER_UNFIT', outcome: 'NotExecuted' });
    expect(await cache.get('key')).toBe('row key');
  }

  it.each([
    ['tracking', '-client|tracking', '+client|tracking'],
    ['tracking', '-client', '+client'],
    ['tracking', 'resetchannels', '&__redis__:invalidate'],
    ['pubsub', 'resetchannels', '&{unfit}:cache:feed'],
  ] as const)(
    '%s without the right (%s) is refused until the user has it',
    async (invalidation, without, right) => {
      const server = await startRedis({ own: true });
      onTestFinished(() => server.stop());
      const admin = new Redis(server.port);
      onTestFinished(() => admin.disconnect());
      await admin.acl('SETUSER', 'app', 'on', '>secret', '~{unfit}:*', '&*', '+@all', without);
      const cache = cacheOf(server, invalidation);
      await refused(cache, `does not allow what \`invalidation: '${invalidation}'\` needs`);
      await admin.acl('SETUSER', 'app', right);
      await expect.poll(() => cache.set('key', 'new').then(() => 'set', String), patient).toBe('set');
      await expect
        .poll(() => cache.snapshot().remote, patient)
        .toMatchObject({ connected: true, pendingInvalidations: 0 });
      // what was owed for the refused ones may have taken this one along
      await cache.set('key', 'newer');
      expect(await cache.get('key')).toBe('newer');
    },
  );

  it('a server without the command is refused', async () => {
    const server = await startRedis({ own: true, config: { 'rename-command': 'CLIENT ""' } });
    onTestFinished(() => server.stop());
    const redis = new Redis({ port: server.port, lazyConnect: true });
    const remote = redisTier({ redis, prefix: 'unfit', invalidation: 'tracking' });
    const cache = new Cache<string, string>({ max: 10, remote, load: async key => `row ${key}` });
    onTestFinished(() => cache.close());
    await refused(cache, 'unknown command');
  });

  it('a node of a cluster is refused, also by a client that knows of none', async () => {
    const cluster = await startRedisCluster({ nodes: 2 });
    onTestFinished(() => cluster.stop());
    const own = await Promise.all(
      cluster.nodes.map(async ({ port }) => {
        const redis = new Redis(port);
        onTestFinished(() => redis.disconnect());
        return redis.get('{unfit}:cache:meta').then(
          () => true,
          () => false,
        );
      }),
    );
    const redis = new Redis({ port: cluster.nodes[own.indexOf(false)]!.port, lazyConnect: true });
    const remote = redisTier({ redis, prefix: 'unfit' });
    const cache = new Cache<string, string>({ max: 10, remote, load: async key => `row ${key}` });
    onTestFinished(() => cache.close());
    await refused(cache, 'is a node of a Redis Cluster');
  });
});
