import { type RedisConfig, type RedisServer, startRedis } from '@workspace/services';
import { Redis } from 'ioredis';
import { type RedisSettings, redisServers } from '../../src/adapters/redis.ts';

const config: RedisConfig = { appendonly: 'yes', 'repl-ping-replica-period': 1 };

/** A primary with two replicas, and the servers that a set has of them. */
export interface RedisReplication {
  /** The primary first. */
  readonly members: ReadonlyMap<string, RedisServer>;
  readonly sentinels: readonly RedisServer[];
  readonly masterName: string;
  servers(options?: { readonly acknowledge?: number }): ReturnType<typeof redisServers<Redis, string>>;
  /** Sends one command to a server. */
  tell(id: string, ...command: [string, ...(string | number)[]]): Promise<unknown>;
  stop(): Promise<void>;
}

export const newClient = (url: string, settings: RedisSettings): Redis => new Redis(url, settings);

export async function startReplication(options: { sentinels?: number } = {}): Promise<RedisReplication> {
  const primary = await startRedis({ replicas: 2, config, ...options });
  const members = new Map<string, RedisServer>([
    ['primary', primary],
    ...primary.replicas.map((each, index) => [`replica${index}`, each] as const),
  ]);
  return {
    members,
    sentinels: primary.sentinels,
    masterName: primary.masterName,
    servers: given =>
      redisServers({
        servers: [...members].map(([id, { url, port }]) => ({
          id,
          connection: url,
          replication: `127.0.0.1:${port}`,
        })),
        newClient,
        ...given,
      }),
    async tell(id, ...command) {
      const client = new Redis(members.get(id)!.url, { retryStrategy: () => null, lazyConnect: true });
      client.on('error', () => {});
      await client.connect();
      try {
        return await client.call(...command);
      } finally {
        client.disconnect();
      }
    },
    stop: () => primary.stop(),
  };
}
