import {
  integer,
  objectWith,
  type Rule,
  type RulesFor,
  readOptions,
  refused,
  required,
  text,
} from '@ashlar/core';
import type { Executor } from '@ashlar/replica-failover/executor';
import type { MoveBackend } from '../moves/move-backend.ts';
import { RedisMoves } from './redis/moves/redis-moves.ts';
import type { RedisCallsLike } from './redis/running.ts';
import { RedisShard } from './redis/shard.ts';

export type { RedisCommand, RedisShardClient } from './redis/client.ts';
export type { RedisArgument, RedisCallsLike } from './redis/running.ts';
export { RedisShard } from './redis/shard.ts';

export interface RedisShardOptions {
  /** One primary with its replicas: a replica set of `redisServers`, whose clients are of ioredis, without a prefix of keys. No Redis Cluster. */
  readonly servers: Executor<RedisCallsLike>;
  /** The name of the router, which is in the keys; without `}`. Default: `shards`. */
  readonly name?: string;
}

const name: Rule<string> = (value, option) => {
  const checked = text('shards')(value, option);
  if (!checked.includes('}')) return checked;
  throw refused(option, 'a name without `}`, which ends the tag of a key', value);
};

const rules = {
  servers: required(
    objectWith<Executor<RedisCallsLike>>(['read', 'write', 'transaction']),
    'write `await ReplicaSet.connect({ servers: redisServers({ … }) })`',
  ),
  name,
} satisfies RulesFor<RedisShardOptions>;

/**
 * A shard that is a primary of Redis 7 or later, with its replicas. The keys of a slot begin with its tag, `{shards:110}:`; work gets a
 * client that checks each write at the server, and sees no other keys.
 *
 * @throws InvalidOptionError
 */
export function redisShard(options: RedisShardOptions): RedisShard {
  const checked = readOptions('redisShard', options, rules);
  return new RedisShard(checked.servers, checked.name);
}

export interface RedisMovesOptions {
  /** The shards of the routers. */
  readonly shards: Readonly<Record<string, RedisShard>>;
  /** How large one value may be, in bytes of memory: it moves as a whole, and both servers stand still meanwhile. Default: 67 108 864. */
  readonly maxValueBytes?: number;
}

const shards: Rule<RedisMovesOptions['shards']> = (value, option) => {
  const all = typeof value === 'object' && value !== null ? Object.values(value) : [];
  if (all.length > 0 && all.every(shard => shard instanceof RedisShard))
    return value as RedisMovesOptions['shards'];
  throw refused(option, 'an object of shards by their names', value, 'make them with `redisShard`');
};

const movesRules = {
  shards,
  maxValueBytes: integer(64 * 2 ** 20, { min: 1 }),
} satisfies RulesFor<RedisMovesOptions>;

/**
 * Moves slots between shards of Redis: a copy by DUMP and RESTORE, then again the keys that clients of the shards write, which are
 * noted in the instant of the write. Values expire when they did. Writes past those clients are not seen.
 *
 * @throws InvalidOptionError
 */
export function redisMoves(options: RedisMovesOptions): MoveBackend {
  const { shards, maxValueBytes } = readOptions('redisMoves', options, movesRules);
  return new RedisMoves(shards, maxValueBytes);
}
