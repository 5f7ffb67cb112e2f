import { ReplicaSet } from '@ashlar/replica-failover';
import { redisServers } from '@ashlar/replica-failover/redis';
import { Redis } from 'ioredis';
import { type RedisShard, redisShard } from '../../src/adapters/redis.ts';
import type { PlaceSettings } from '../moving/place.ts';

/** What every process of a run is told. */
export interface Settings extends PlaceSettings {
  /** Of a client: it writes for the customers of its own. */
  readonly process: number;
  /** Of each shard its servers. Where there are several, a write is acknowledged when a replica has it. */
  readonly shards: Readonly<Record<string, readonly string[]>>;
}

export async function connected(shards: Settings['shards']): Promise<Readonly<Record<string, RedisShard>>> {
  const all = Object.entries(shards).map(async ([name, urls]) => {
    const servers = redisServers({
      servers: urls.map(url => ({ id: `${name} ${url}`, connection: url })),
      newClient: (connection: string, settings) => new Redis(connection, settings),
      acknowledge: Math.min(1, urls.length - 1),
    });
    return [name, redisShard({ servers: await ReplicaSet.connect({ name, servers }) })] as const;
  });
  return Object.fromEntries(await Promise.all(all));
}
