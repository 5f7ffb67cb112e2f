import { ReplicaSet } from '@ashlar/replica-failover';
import { redisServers } from '@ashlar/replica-failover/redis';
import { eventually, type Redis as Server, startRedis } from '@workspace/services';
import { Redis } from 'ioredis';
import { slotOfKey } from '../../../src/adapters/redis/names.ts';
import { type RedisShard, redisMoves, redisShard } from '../../../src/adapters/redis.ts';
import type { MoveBackend } from '../../../src/moves/move-backend.ts';
import type { How } from '../plan.ts';
import { type ReplacingSite, shardNames, slots } from './site.ts';

interface Shard {
  readonly server: Server;
  readonly raw: Redis;
  readonly servers: ReplicaSet<Redis>;
  readonly shard: RedisShard;
}

/** Two servers, which are killed and begin anew: with nothing, or with what the other had. */
export class RedisSite implements ReplacingSite {
  readonly hows: readonly How[] = ['empty', 'backup'];
  readonly key = 'int8';
  readonly tables = {};
  readonly #shards: Readonly<Record<string, Shard>>;

  private constructor(shards: Readonly<Record<string, Shard>>) {
    this.#shards = shards;
  }

  static async start(): Promise<RedisSite> {
    const shards: Record<string, Shard> = {};
    for (const name of shardNames) {
      const server = await startRedis({ own: true });
      const raw = new Redis(server.url, { retryStrategy: () => 20 });
      raw.on('error', () => {});
      const servers = await ReplicaSet.connect({
        servers: redisServers({
          servers: [{ id: '0', connection: server.url }],
          newClient: (url: string, settings) => new Redis(url, settings),
        }),
        timeoutMs: 20_000,
      });
      shards[name] = { server, raw, servers, shard: redisShard({ servers }) };
    }
    return new RedisSite(shards);
  }

  keyOf(n: number): ReturnType<ReplacingSite['keyOf']> {
    return { key: `{shards:${n % slots}}:key ${n}`, slot: n % slots };
  }

  async reset(): Promise<void> {
    for (const { raw } of Object.values(this.#shards)) await raw.flushall();
  }

  backend(): MoveBackend {
    const { one, two } = this.#shards as { one: Shard; two: Shard };
    return redisMoves({ shards: { one: one.shard, two: two.shard } });
  }

  async write(shard: string, key: string, value: string | undefined): Promise<void> {
    const slot = slotOfKey({ prefix: '{shards:' }, key)!;
    const command: [string, ...string[]] = value === undefined ? ['DEL', key] : ['SET', key, value];
    await this.#shards[shard]!.shard.ofSlots([slot]).write(db => db.call(...command));
  }

  async rows(shard: string): Promise<Readonly<Record<string, string>>> {
    const { raw } = this.#shards[shard]!;
    const found = (await raw.keys('{shards:*')).filter(
      key => slotOfKey({ prefix: '{shards:' }, key) !== undefined,
    );
    return Object.fromEntries(await Promise.all(found.map(async key => [key, await raw.get(key)])));
  }

  async backUp(shard: string): Promise<unknown> {
    const { raw } = this.#shards[shard]!;
    // The others are of those who watch the server
    const keys = [...(await raw.keys('{shards:*')), ...(await raw.keys('ashlar:shards:*'))];
    return Promise.all(keys.map(async key => [key, await raw.dumpBuffer(key)] as const));
  }

  async replace(shard: string, how: How, backup: unknown): Promise<void> {
    const { server, raw, servers } = this.#shards[shard]!;
    await server.kill();
    await server.restart();
    await eventually(() => raw.ping(), { withinMs: 30_000 });
    const all = how === 'empty' ? [] : (backup as readonly (readonly [string, Buffer])[]);
    for (const [key, value] of all) await raw.restore(key, 0, value);
    await eventually(() => servers.write(redis => redis.call('PING')), { withinMs: 30_000 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { server, raw, servers } of Object.values(this.#shards)) {
      raw.disconnect();
      await servers.close();
      await server.stop();
    }
  }
}
