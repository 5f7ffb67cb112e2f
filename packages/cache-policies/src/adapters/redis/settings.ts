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
