import { startRedis } from '@workspace/services';
import { Redis } from 'ioredis';
import { redisStreams } from '../../src/adapters/redis-streams.ts';
import type { Kind } from './kind.ts';

export const redisStreamsKind: Kind = {
  needs: 'redis',
  // What is written comes to the file before the answer does, and to the disk within a second
  start: () => startRedis({ config: { appendonly: 'yes', appendfsync: 'everysec' } }),
  driver: (port, leaseMs, timeoutMs = 2_000) =>
    redisStreams({
      redis: new Redis({ port, lazyConnect: true }),
      ...(leaseMs && { leaseMs }),
      timeoutMs,
    }),
};
