import { ReplicaSet } from '@ashlar/replica-failover';
import { redisServers } from '@ashlar/replica-failover/redis';
import { Redis } from 'ioredis';
import { type RedisShard, redisShard } from '../../src/adapters/redis.ts';

/** What every process of a run is told. */
export interface Settings {
  /** Of a client: it writes for the customers of its own. */
  readonly process: number;
  readonly shards: Readonly<Record<string, string>>;
  /** Where the map is kept. */
  readonly store: string;
  readonly customers: number;
}

export async function connected(urls: Settings['shards']): Promise<Readonly<Record<string, RedisShard>>> {
  const all = Object.entries(urls).map(async ([name, url]) => {
    const servers = redisServers({
      servers: [{ id: name, connection: url }],
      newClient: (connection: string, settings) => new Redis(connection, settings),
    });
    return [name, redisShard({ servers: await ReplicaSet.connect({ name, servers }) })] as const;
  });
  return Object.fromEntries(await Promise.all(all));
}
