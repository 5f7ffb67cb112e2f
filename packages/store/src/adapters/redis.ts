import { describe, InvalidOptionError, knownOptions, numberOption } from '@ashlar/core';
import { BackendStore } from '../backend-store.ts';
import type { ManagedStore } from '../store.ts';
import { RedisBackend } from './redis/backend.ts';
import type { RedisLike } from './redis/client.ts';

export type { RedisLike } from './redis/client.ts';
export { type FencedRedis, fencedSet } from './redis/fenced-set.ts';

export interface RedisStoreOptions {
  /**
   * A client of ioredis: `Redis`, also through Sentinel, or `Cluster`. It is left alone: the store opens connections
   * of its own with the same settings, one, and a second one while anything is watched.
   */
  readonly redis: RedisLike;
  /** What all keys of this store begin with, in braces, so that a cluster keeps them together. `ashlar` by default. */
  readonly prefix?: string;
  /** As diagnostics messages call it. `redis` by default. */
  readonly name?: string;
  /** How long an operation may take, waiting for a connection included. 1 000 by default. */
  readonly timeoutMs?: number;
  /** Use a Redis whose `maxmemory-policy` is not `noeviction`, although it may drop values and leases. */
  readonly allowEviction?: boolean;
}

/**
 * A store in Redis 6.2 or later. What it acknowledged last may be lost with the primary. A server that may evict is
 * refused: every operation rejects with UnsafeBackendError.
 *
 * @throws InvalidOptionError
 */
export function redisStore(options: RedisStoreOptions): ManagedStore {
  knownOptions('redisStore', options, ['redis', 'prefix', 'name', 'timeoutMs', 'allowEviction']);
  const { redis, prefix = 'ashlar', name = 'redis', timeoutMs = 1_000, allowEviction = false } = options;
  if (typeof allowEviction !== 'boolean') {
    const text = `\`allowEviction\` must be a boolean, got ${describe(allowEviction)}`;
    throw new InvalidOptionError('allowEviction', text);
  }
  numberOption('timeoutMs', timeoutMs, { above: 0, max: 2 ** 31 - 1 });
  return new BackendStore(name, new RedisBackend({ redis, prefix, name, timeoutMs, allowEviction }));
}
