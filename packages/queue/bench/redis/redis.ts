import { type Bench, figures, inTable, noiseFloor } from '@workspace/bench';
import { Queue as Bull } from 'bullmq';
import { Redis } from 'ioredis';
import { redisStreams } from '../../src/adapters/redis-streams.ts';
import { messages, Queue } from '../../src/index.ts';
import {
  type Contender,
  concurrency,
  contest,
  drainedByWorker,
  handled,
  type Payload,
  payload,
} from './contenders.ts';
import type { Cost } from './redis-cost.ts';

const count = 10_000;
const messagesOf = { publish: count, drain: count };
type Part = keyof typeof messagesOf;

function ours(port: number, prefix: string, ordered = false): Contender<Part> {
  const redis = new Redis({ port, lazyConnect: true });
  const make = () => new Queue(redisStreams({ redis, prefix }), { messages: messages<{ work: Payload }>() });
  const producer = make();
  return {
    async publish() {
      await producer.declare('work');
      for (let n = 0; n < count; n += 500) {
        const batch = new Array<Payload>(500).fill(payload);
        await producer.publishMany('work', batch, (_, n) => (ordered ? { key: `key ${n}` } : {}));
      }
    },
    async drain() {
      const consumer = make();
      await handled(count, handler => {
        void consumer.subscribe('work', handler, { concurrency, ordered });
      });
      await consumer.close();
    },
    async [Symbol.asyncDispose]() {
      await producer.close();
    },
  };
}

function bull(port: number, prefix: string): Contender<Part> {
  const connection = { port, host: '127.0.0.1', maxRetriesPerRequest: null };
  const queue = new Bull('work', { connection, prefix });
  return {
    async publish() {
      for (let n = 0; n < count; n += 500) {
        const job = { name: 'work', data: payload, opts: { removeOnComplete: true } };
        await queue.addBulk(new Array<typeof job>(500).fill(job));
      }
    },
    drain: () => drainedByWorker('work', count, { connection, prefix }),
    async [Symbol.asyncDispose]() {
      await queue.close();
    },
  };
}

const contenders = {
  ours,
  bull,
  again: ours,
  ordered: (port: number, prefix: string) => ours(port, prefix, true),
};

let measured: ReturnType<typeof contest<keyof typeof contenders, Part>> | undefined;

function bench(name: string, unit: string, part: Part, cost: keyof Cost): Bench {
  return figures(name, unit, async () => {
    measured ??= contest({ contenders, messages: messagesOf });
    const value = await measured;
    return {
      ours: ['redisStreams', value('ours', part, cost)],
      peers: {
        [noiseFloor]: value('again', part, cost),
        'BullMQ 6.7': value('bull', part, cost),
        ...(part === 'drain' &&
          cost !== 'sent' && { 'redisStreams, 500 keys in order': value('ordered', part, cost) }),
      },
    };
  });
}

/** BullMQ keeps a record of each job, with its progress and result, which these streams do not. */
export const redis: readonly Bench[] = inTable('Redis', [
  bench('Redis: publishing in batches of 500, server', 'µs of CPU', 'publish', 'serverUs'),
  bench('Redis: publishing in batches of 500, client', 'µs of CPU', 'publish', 'clientUs'),
  bench('Redis: draining with 100 handlers at once, sent', 'commands', 'drain', 'sent'),
  bench('Redis: draining with 100 handlers at once, executed', 'commands', 'drain', 'executed'),
  bench('Redis: draining with 100 handlers at once, server', 'µs of CPU', 'drain', 'serverUs'),
  bench('Redis: draining with 100 handlers at once, client', 'µs of CPU', 'drain', 'clientUs'),
  bench('Redis: draining with 100 handlers at once, wall', 'µs', 'drain', 'wallUs'),
]);
