import { ReplicaSet } from '@ashlar/replica-failover';
import { redisServers } from '@ashlar/replica-failover/redis';
import { memoryStore } from '@ashlar/store';
import { type RedisOptions, type Redis as Server, startRedis } from '@workspace/services';
import { type RedisOptions as ClientOptions, Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import { type RedisShard, type RedisShardClient, redisShard } from '../../src/adapters/redis.ts';
import type { ShardRouterOptions } from '../../src/options.ts';
import { ShardRouter } from '../../src/router.ts';

/** A server with the client of a test, which is past all checks, and the shard that it is. */
export interface OneShard {
  readonly server: Server;
  readonly raw: Redis;
  readonly shard: RedisShard;
  stop(): Promise<void>;
}

/** The caller stops it. */
export async function startShard(options: RedisOptions = {}): Promise<OneShard> {
  const server = await startRedis({ own: true, ...options });
  const raw = new Redis(server.url, { retryStrategy: () => 50 });
  raw.on('error', () => {});
  const { shard, close } = await shardOf(server);
  const stop = async () => {
    raw.disconnect();
    await close();
    await server.stop();
  };
  return { server, raw, shard, stop };
}

/** The test that runs stops it. */
export async function oneShard(options?: RedisOptions): Promise<OneShard> {
  const one = await startShard(options);
  onTestFinished(() => one.stop());
  return one;
}

/** The shard as another process has it, whose clients have options of their own. */
export async function shardOf(
  server: Server,
  options: Pick<ClientOptions, 'stringNumbers'> = {},
): Promise<{ readonly shard: RedisShard; close(): Promise<void> }> {
  const all = [server, ...server.replicas];
  const servers = await ReplicaSet.connect({
    servers: redisServers({
      servers: all.map(({ url }, at) => ({ id: String(at), connection: url })),
      newClient: (url: string, settings) => new Redis(url, { ...options, ...settings }),
    }),
    timeoutMs: 5_000,
  });
  return { shard: redisShard({ servers }), close: () => servers.close() };
}

/** A router of the shards, with sixteen slots, and its store. */
export async function routerOf(
  shards: Readonly<Record<string, RedisShard>>,
  more: Partial<ShardRouterOptions<RedisShardClient>> = {},
): Promise<ShardRouter<RedisShardClient>> {
  const store = more.store ?? memoryStore();
  if (more.store === undefined) onTestFinished(() => (store as ReturnType<typeof memoryStore>).close());
  const router = new ShardRouter<RedisShardClient>({ shards, store, key: 'int8', slots: 16, ...more });
  onTestFinished(() => router.close());
  await router.ready();
  return router;
}
