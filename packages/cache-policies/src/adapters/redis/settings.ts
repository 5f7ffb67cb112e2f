import type { Clock } from '@ashlar/core';
import type { RedisLike } from '@ashlar/store/redis-connection';

/** Who publishes changes: the caches, or the server. */
export type RedisInvalidation = 'pubsub' | 'tracking';

/** The options of a tier, checked and complete. */
export interface RedisTierSettings {
  readonly tier: string;
  readonly redis: RedisLike;
  readonly prefix: string;
  readonly timeoutMs: number;
  readonly boundMs: number;
  readonly maxValueBytes: number;
  readonly invalidation: RedisInvalidation;
  readonly clock: Clock;
}

/** What all keys begin with. They have one hash tag, so that a cluster has them on one node; a store may have the same prefix. */
export function rootOf(prefix: string): string {
  return `{${prefix}}:cache:`;
}

/** The key of the history. */
export function metaOf(prefix: string): string {
  return `${rootOf(prefix)}meta`;
}
