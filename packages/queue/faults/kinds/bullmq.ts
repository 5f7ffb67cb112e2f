import { startRedis } from '@workspace/services';
import { bullmq } from '../../src/adapters/bullmq.ts';
import type { Kind } from './kind.ts';

export const bullmqKind: Kind = {
  needs: 'redis',
  // What is written comes to the file before the answer does, and to the disk within a second
  start: () => startRedis({ config: { appendonly: 'yes', appendfsync: 'everysec' } }),
  driver: (port, leaseMs, timeoutMs = 2_000) =>
    bullmq({ connection: { port }, ...(leaseMs && { leaseMs }), timeoutMs }),
};
