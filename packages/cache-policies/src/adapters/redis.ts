import { describe, InvalidOptionError, knownOptions, numberOption } from '@ashlar/core';
import type { RedisLike } from '@ashlar/store/redis-connection';
import type { RemoteTier } from '../tiers/remote-tier.ts';
import { RedisSession } from './redis/session.ts';

export type { RedisLike } from '@ashlar/store/redis-connection';

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
}

/**
 * A tier in Redis 6.2 or later, shared by caches of many processes. What Redis evicts or forgets is loaded again; what
 * was leased before is refused then, so a server may evict whatever it likes.
 *
 * @throws InvalidOptionError
 */
export function redisTier(options: RedisTierOptions): RemoteTier {
  knownOptions('redisTier', options, ['redis', 'prefix', 'name', 'timeoutMs', 'boundMs']);
  const { redis, prefix, name = 'redis', timeoutMs = 1_000, boundMs = 1_000 } = options;
  if (typeof prefix !== 'string' || !/^[^{}]{1,200}$/su.test(prefix)) {
    const expected = 'a string of 1 to 200 characters without braces';
    throw new InvalidOptionError('prefix', `\`prefix\` must be ${expected}, got ${describe(prefix)}`);
  }
  if (redis?.isCluster === true) {
    throw new InvalidOptionError('redis', '`redis` must not be a Cluster: its messages overtake its answers');
  }
  numberOption('timeoutMs', timeoutMs, { above: 0, max: 2 ** 31 - 1 });
  numberOption('boundMs', boundMs, { min: 20, max: 2 ** 31 - 1 });
  const settings = { tier: name, redis, prefix, timeoutMs, boundMs };
  return {
    name,
    open: listener => new RedisSession(settings, listener),
    async get(key) {
      const session = new RedisSession(settings, nobody);
      try {
        const [read] = await session.read([key]);
        return read!.entry?.value;
      } finally {
        await session.close();
      }
    },
  };
}

const nobody = { invalidated: () => {}, reset: () => {}, connection: () => {} };
