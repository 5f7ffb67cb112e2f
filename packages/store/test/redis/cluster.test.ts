import { eventually, type RedisCluster, startRedisCluster } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Cluster, Redis } from 'ioredis';
import { createCluster } from 'redis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type RedisStoreOptions, redisStore } from '../../src/adapters/redis.ts';
import type { Store } from '../../src/index.ts';
import { bytes } from '../support/bytes.ts';
import { ending } from '../support/stores.ts';

const key = 'key';

interface Site {
  readonly cluster: RedisCluster;
  readonly admins: readonly Redis[];
  readonly store: Store;
  /** The node with the store's keys. */
  readonly home: number;
}

async function site(
  redisOf: (cluster: RedisCluster) => RedisStoreOptions['redis'],
  timeoutMs: number,
): Promise<Site> {
  const cluster = await startRedisCluster();
  onTestFinished(() => cluster.stop());
  const admins = cluster.nodes.map(({ port }) => new Redis(port));
  for (const admin of admins) admin.on('error', () => {}); // Some of their servers die
  onTestFinished(() => {
    for (const admin of admins) admin.disconnect();
  });
  const store = ending(redisStore({ redis: redisOf(cluster), timeoutMs }));
  await store.set(key, bytes('first'));
  const sizes = await Promise.all(admins.map(admin => admin.dbsize()));
  return { cluster, admins, store, home: sizes.findIndex(size => size > 0) };
}

const clients: Readonly<Record<string, (cluster: RedisCluster) => RedisStoreOptions['redis']>> = {
  ioredis: ({ nodes }) =>
    new Cluster(
      nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
      { lazyConnect: true },
    ),
  'node-redis': ({ nodes }) => createCluster({ rootNodes: nodes.map(({ url }) => ({ url })) }),
};

describeWith({ own: 'redis' }, 'a store in a Redis Cluster', () => {
  describe.each(Object.entries(clients))('with %s', (_, redisOf) => {
    it('goes on as soon as the cluster is whole again', async () => {
      // An attempt to connect that hangs is given up after five times that: what waits for it has failed long before
      const { admins, store, home } = await site(redisOf, 60_000);
      // One slot that nobody has makes the cluster refuse all commands
      const mine = (await admins[0]!.cluster('KEYSLOT', '{ashlar}')) as number;
      const slots = (await admins[0]!.cluster('SLOTS')) as unknown as readonly (readonly [number, number])[];
      const [first, last] = slots.find(([from, to]) => from <= mine && mine <= to)!;
      const free = first === mine ? last : first;
      for (const admin of admins) await admin.cluster('DELSLOTS', free);
      await expect(store.set(key, bytes('refused'))).rejects.toThrow(/CLUSTERDOWN/);
      const attempts = attemptsOf(admins[home]!);
      const waiting = store.set(key, bytes('second'));
      waiting.catch(() => {}); // Until it is awaited
      await attempts.more();
      await admins[home]!.cluster('ADDSLOTS', free);
      await waiting;
    });

    it('finds its node while another one is dead, or says nothing', async () => {
      const { cluster, admins, store, home } = await site(redisOf, 3_000);
      for (const admin of admins) await admin.config('SET', 'cluster-require-full-coverage', 'no');
      const others = cluster.nodes.filter((_, index) => index !== home);
      others[0]!.pause();
      onTestFinished(() => others[0]!.resume());
      await others[1]!.kill();
      await admins[home]!.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      // The first may be sent before it is known that the connection is gone
      await eventually(() => store.set(key, bytes('second')), { withinMs: 50_000 });
    }, 90_000);
  });
});

/** Resolves `more` when the node has been asked by others whether all is well. */
function attemptsOf(admin: Redis): { more(): Promise<void> } {
  const asked = async (): Promise<number> => {
    const stats = await admin.info('commandstats');
    return Number(/cmdstat_cluster\|(?:info|slots):calls=(\d+)/.exec(stats)?.[1] ?? 0);
  };
  const before = asked();
  return {
    async more() {
      const known = await before;
      await expect.poll(asked, { timeout: 30_000 }).toBeGreaterThan(known);
    },
  };
}
