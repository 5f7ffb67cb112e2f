import { createRequire } from 'node:module';
import { MissingPeerError } from '@ashlar/core';

/** By this name, tools that copy what a server needs find the library, as those of Nitro and Vercel do. */
const require = createRequire(import.meta.url);

/** `#bullmq` in Node, which names the command that installs BullMQ. Bundlers resolve it to BullMQ itself. */
function load(): typeof import('bullmq') {
  try {
    return require('bullmq') as typeof import('bullmq');
  } catch (cause) {
    throw new MissingPeerError('@ashlar/queue/bullmq', 'bullmq', 'bullmq', { cause });
  }
}

const bullmq = load();

export const FlowProducer: typeof import('bullmq').FlowProducer = bullmq.FlowProducer;
export const Queue: typeof import('bullmq').Queue = bullmq.Queue;
export const RedisConnection: typeof import('bullmq').RedisConnection = bullmq.RedisConnection;
export const Worker: typeof import('bullmq').Worker = bullmq.Worker;
