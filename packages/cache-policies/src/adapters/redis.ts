import {
  backgroundClock,
  type Clock,
  describe,
  InvalidOptionError,
  knownOptions,
  numberOption,
} from '@ashlar/core';
import type { RedisLike } from '@ashlar/store/redis-connection';
import type { RemoteTier } from '../tiers/remote-tier.ts';
import { RedisSessions } from './redis/sessions.ts';
import type { RedisInvalidation } from './redis/settings.ts';

export type { RedisLike } from '@ashlar/store/redis-connection';
export type { RedisInvalidation } from './redis/settings.ts';

export interface RedisTierOptions {
  /**
   * A client of ioredis: `Redis`, also through Sentinel; not `Cluster`. It is left alone: every cache opens two
   * connections of its own with the same settings.
   */
  readonly redis: RedisLike;
  /** What all keys begin with, in braces; caches that share it share their values. One in a server, whatever its databases. */
  readonly prefix: string;
  /** As diagnostics messages call it. `redis` by default. */
  readonly name?: string;
  /** How long an operation may take, waiting for a connection included. 1 000 by default. */
  readonly timeoutMs?: number;
  /**
   * For how long at most a cache may serve from its own memory what another process has changed. 1 000 by default; at
   * least 20. Each cache asks four times in that span whether it has heard of everything.
   */
  readonly boundMs?: number;
  /**
   * How caches are told of what others change. `pubsub` by default: each change is published. `tracking`: the server
   * itself tells of every key that changes (CLIENT TRACKING), so that what other programs write or delete below the
   * prefix is noticed too. The bound holds with both; use one for all caches of a prefix, since those of one sort hear of
   * the changes of the other only as a reset.
   */
  readonly invalidation?: RedisInvalidation;
  /** The clock of the caches that use it. */
  readonly clock?: Clock;
}

const names: readonly (keyof RedisTierOptions)[] = [
  ...(['redis', 'prefix', 'name', 'timeoutMs', 'boundMs', 'invalidation', 'clock'] as const),
];

/**
 * A tier in Redis 6.2 or later, shared by caches of many processes. What Redis evicts or forgets is loaded again; what
 * was leased before is refused then, so a server may evict whatever it likes.
 *
 * @throws InvalidOptionError
 */
export function redisTier(options: RedisTierOptions): RemoteTier {
  knownOptions('redisTier', options, names);
  const { redis, prefix, name = 'redis', timeoutMs = 1_000, boundMs = 1_000 } = options;
  const { invalidation = 'pubsub', clock = backgroundClock } = options;
  if (typeof prefix !== 'string' || !/^[^{}]{1,200}$/su.test(prefix)) {
    const expected = 'a string of 1 to 200 characters without braces';
    throw new InvalidOptionError('prefix', `\`prefix\` must be ${expected}, got ${describe(prefix)}`);
  }
  if (redis?.isCluster === true) {
    throw new InvalidOptionError('redis', '`redis` must not be a Cluster: its messages overtake its answers');
  }
  numberOption('timeoutMs', timeoutMs, { above: 0, max: 2 ** 31 - 1 });
  numberOption('boundMs', boundMs, { min: 20, max: 2 ** 31 - 1 });
  if (invalidation !== 'pubsub' && invalidation !== 'tracking') {
    const text = `\`invalidation\` must be 'pubsub' or 'tracking', got ${describe(invalidation)}`;
    throw new InvalidOptionError('invalidation', text);
  }
  const settings = { tier: name, redis, prefix, timeoutMs, boundMs, invalidation, clock };
  const sessions = new RedisSessions(settings);
  return {
    name,
    open: listener => sessions.open(listener),
    get: key => sessions.get(key),
  };
}
