import {
  backgroundClock,
  type Clock,
  clock,
  durationMs,
  integer,
  oneOf,
  type Rule,
  type RulesFor,
  readOptions,
  refused,
  text,
} from '@ashlar/core';
import { type RedisLike, redisClient } from '@ashlar/store/redis-connection';
import type { RemoteTier } from '../tiers/remote-tier.ts';
import { checkListener, checkTierKey } from '../tiers/tier-rules.ts';
import { RedisSessions } from './redis/sessions.ts';
import type { RedisInvalidation } from './redis/settings.ts';

export type { RedisLike } from '@ashlar/store/redis-connection';
export type { RedisInvalidation } from './redis/settings.ts';

export interface RedisTierOptions {
  /**
   * Of ioredis a `Redis`, also through Sentinel, or a `Cluster`; of node-redis 5 what `createClient` or `createCluster`
   * return. The tier does not use it: each cache opens two connections of its own with the same settings, in a cluster to
   * the primary that has the prefix.
   */
  readonly redis: RedisLike;
  /**
   * All keys begin with it, in braces; caches with the same prefix share their values, and a store or a queue may have it
   * too. Unique in a server, across all of its databases. 1 to 200 characters without braces.
   */
  readonly prefix: string;
  /** Its name in errors and snapshots. Default: `redis`. */
  readonly name?: string;
  /** The time limit of an operation, waiting for a connection included, in milliseconds. Default: 1 000. */
  readonly timeoutMs?: number;
  /**
   * The maximum staleness: how long at most a cache serves from its own memory what another process changed, in
   * milliseconds. Four times within it each cache verifies that it has received every invalidation. At least 20.
   * Default: 1 000.
   */
  readonly boundMs?: number;
  /**
   * The longest serialized value, in bytes: a longer one is returned by its load and kept in that process, and a `set` of it
   * rejects. A server that takes less, by its `proto-max-bulk-len`, has its own bound. Default: 67 108 864, 64 MiB.
   */
  readonly maxValueBytes?: number;
  /**
   * Who publishes changes. `pubsub`: the caches, each change with a number. `tracking`: the server itself (CLIENT
   * TRACKING), so that changes and deletes by other programs below the prefix are noticed too. The bound holds with both.
   * Use one for all caches of a prefix: a cache of the other kind notices the changes only by a reset. Default: `pubsub`.
   */
  readonly invalidation?: RedisInvalidation;
  /** The clock of the caches that use it. Default: the machine's. */
  readonly clock?: Clock;
}

const longestMs = 2 ** 31 - 1;

const prefixRule: Rule<string> = (value, option) => {
  if (typeof value === 'string' && /^[^{}]{1,200}$/su.test(value)) return value;
  throw refused(option, 'a string of 1 to 200 characters without braces', value);
};

const rules = {
  redis: redisClient,
  prefix: prefixRule,
  name: text('redis'),
  timeoutMs: durationMs(1_000, { above: 0, max: longestMs }),
  boundMs: durationMs(1_000, { min: 20, max: longestMs }),
  maxValueBytes: integer(64 * 1_048_576, { min: 1 }),
  invalidation: oneOf('pubsub', ['pubsub', 'tracking']),
  clock: clock(backgroundClock),
} satisfies RulesFor<RedisTierOptions>;

/**
 * A tier in Redis 6.2 or later, shared by caches of many processes. The server may evict anything: what is gone is loaded
 * again, and a lease that is gone stores nothing.
 *
 * @throws InvalidOptionError
 */
export function redisTier(options: RedisTierOptions): RemoteTier {
  const { name, ...settings } = readOptions('redisTier', options, rules);
  const sessions = new RedisSessions({ tier: name, ...settings });
  return {
    name,
    open: listener => sessions.open(checkListener(listener)),
    get: async key => sessions.get(checkTierKey(key)),
  };
}
