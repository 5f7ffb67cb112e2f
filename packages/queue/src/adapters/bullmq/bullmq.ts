import { createRequire } from 'node:module';
import { MissingPeerError } from '@ashlar/core';

/** `#bullmq` in Node, which names the command that installs BullMQ. Bundlers resolve it to BullMQ itself. */
function load(): typeof import('bullmq') {
  try {
    return createRequire(import.meta.url)('bullmq') as typeof import('bullmq');
  } catch (cause) {
    throw new MissingPeerError('@ashlar/queue/bullmq', 'bullmq', 'bullmq', { cause });
  }
}

const bullmq = load();

export const FlowProducer: typeof import('bullmq').FlowProducer = bullmq.FlowProducer;
export const Queue: typeof import('bullmq').Queue = bullmq.Queue;
export const RedisConnection: typeof import('bullmq').RedisConnection = bullmq.RedisConnection;
export const Worker: typeof import('bullmq').Worker = bullmq.Worker;
