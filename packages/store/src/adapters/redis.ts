import { boolean, durationMs, type RulesFor, readOptions, text } from '@ashlar/core';
import { BackendStore } from '../backend-store.ts';
import type { ManagedStore } from '../store.ts';
import { RedisBackend } from './redis/backend.ts';
import { prefix } from './redis/keys.ts';
import type { RedisLike } from './redis-connection/client.ts';
import { redisClient } from './redis-connection/client-like.ts';

export { type FencedRedis, fencedSet } from './redis/fenced-set.ts';
export type { RedisLike } from './redis-connection/client.ts';

export interface RedisStoreOptions {
  /**
   * A client of ioredis: `Redis`, also through Sentinel, or `Cluster`. It stays unused: the store opens connections of
   * its own with the same settings, one, and a second one while there is a watch.
   */
  readonly redis: RedisLike;
  /** The beginning of all keys of this store, in braces, so that a cluster holds them together. Default: `ashlar`. */
  readonly prefix?: string;
  /** What diagnostics messages and errors call the store. Default: `redis`. */
  readonly name?: string;
  /** Milliseconds for an operation, the wait for a connection included. Default: 1 000. */
  readonly timeoutMs?: number;
  /** Accept a Redis whose `maxmemory-policy` is not `noeviction`, which may drop values and claims. Default: false. */
  readonly allowEviction?: boolean;
}

const rules = {
  redis: redisClient,
  prefix,
  name: text('redis'),
  timeoutMs: durationMs(1_000, { above: 0, max: 2 ** 31 - 1 }),
  allowEviction: boolean(false),
} satisfies RulesFor<RedisStoreOptions>;

/**
 * A store in Redis 6.2 or later. A failover may lose what was acknowledged last. A server that may evict is refused,
 * with each connection and every 10 s of use: operations reject with UnsafeBackendError.
 *
 * @throws InvalidOptionError
 */
export function redisStore(options: RedisStoreOptions): ManagedStore {
  const checked = readOptions('redisStore', options, rules);
  return new BackendStore(checked.name, new RedisBackend(checked));
}
