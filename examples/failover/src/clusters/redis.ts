import { ReplicaSet } from '@ashlar/replica-failover';
import { type RedisSettings, redisServers, sentinel } from '@ashlar/replica-failover/redis';
import { Redis } from 'ioredis';
import type { Cluster } from './cluster.ts';
import { type LocalServer, servicesFor } from './services.ts';
import { type OrderBook, SetShop } from './set-shop.ts';

const key = 'orders';

const book: OrderBook<Redis> = {
  by: 'write',
  add: (client, order) => client.sadd(key, order),
  has: async (client, order) => (await client.sismember(key, order)) === 1,
  all: async client => (await client.smembers(key)).map(Number),
};

/** Three servers of Redis on loopback, and three Sentinels, who promote. All are gone with the cluster. */
export async function startRedisCluster(): Promise<Cluster> {
  const { startRedis } = await servicesFor('redis');
  const config = { appendonly: 'yes', 'repl-ping-replica-period': 1 };
  const primary = await startRedis({ own: true, replicas: 2, sentinels: 3, config });
  const { sentinels, masterName: name } = primary;
  const members = new Map<string, LocalServer>([
    ['redis', primary],
    ...primary.replicas.map((server, index) => [`replica${index}`, server] as const),
  ]);
  const member = (id: string) => members.get(id)!;
  const newClient = (url: string, settings: RedisSettings) => new Redis(url, settings);
  return {
    title: 'Redis with Sentinel',
    ids: [...members.keys()],
    async connect() {
      const servers = redisServers({
        servers: [...members].map(([id, { url }]) => ({ id, connection: url })),
        newClient,
        acknowledge: 1,
      });
      const authority = sentinel({ sentinels: sentinels.map(({ url }) => url), name, newClient });
      return new SetShop(await ReplicaSet.connect({ servers, authority }), book);
    },
    kill: id => member(id).kill(),
    stop: async id => member(id).pause(),
    resume: async id => member(id).resume(),
    start: id => member(id).restart(),
    [Symbol.asyncDispose]: () => primary.stop(),
  };
}
