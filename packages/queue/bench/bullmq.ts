import { type Bench, figures, inTable, noiseFloor } from '@workspace/bench';
import { Queue as Bull } from 'bullmq';
import { bullmq } from '../src/adapters/bullmq.ts';
import { messages, Queue } from '../src/index.ts';
import {
  type Contender,
  concurrency,
  contest,
  drainedByWorker,
  handled,
  type Payload,
  payload,
} from './redis/contenders.ts';
import type { Cost } from './redis/redis-cost.ts';

const count = 5_000;
/** What our driver keeps by default. */
const kept = { removeOnComplete: { age: 60, count: 100_000 }, removeOnFail: { count: 10_000 } };
/** Of each part: one by one, in batches, and all of them. */
const messagesOf = { publish: count, publishMany: count, drain: 2 * count };
type Part = keyof typeof messagesOf;

function ours(port: number, prefix: string, fair = false): Contender<Part> {
  const make = () =>
    new Queue(bullmq({ connection: { port }, prefix }), { messages: messages<{ work: Payload }>() });
  const producer = make();
  const optionsOf = (n: number) => (fair ? { key: `tenant ${n % 10}` } : {});
  return {
    async publish() {
      await producer.declare('work');
      for (let n = 0; n < count; n++) await producer.publish('work', payload, optionsOf(n));
    },
    async publishMany() {
      for (let n = 0; n < count; n += 500) {
        await producer.publishMany('work', new Array<Payload>(500).fill(payload), (_, n) => optionsOf(n));
      }
    },
    async drain() {
      const consumer = make();
      await handled(messagesOf.drain, handler => {
        void consumer.subscribe('work', handler, { concurrency, fair });
      });
      await consumer.close();
    },
    async [Symbol.asyncDispose]() {
      await producer.close();
    },
  };
}

function raw(port: number, prefix: string): Contender<Part> {
  const connection = { port, host: '127.0.0.1', maxRetriesPerRequest: null };
  const queue = new Bull('work', { connection, prefix, defaultJobOptions: kept });
  return {
    async publish() {
      for (let n = 0; n < count; n++) await queue.add('work', payload);
    },
    async publishMany() {
      const job = { name: 'work', data: payload };
      for (let n = 0; n < count; n += 500) await queue.addBulk(new Array<typeof job>(500).fill(job));
    },
    drain: () => drainedByWorker('work', messagesOf.drain, { connection, prefix }),
    async [Symbol.asyncDispose]() {
      await queue.close();
    },
  };
}

const contenders = {
  ours,
  raw,
  again: ours,
  fair: (port: number, prefix: string) => ours(port, prefix, true),
};

let measured: ReturnType<typeof contest<keyof typeof contenders, Part>> | undefined;

function bench(name: string, unit: string, part: Part, cost: keyof Cost): Bench {
  return figures(name, unit, async () => {
    measured ??= contest({ contenders, messages: messagesOf });
    const value = await measured;
    return {
      ours: ['bullmq', value('ours', part, cost)],
      peers: {
        [noiseFloor]: value('again', part, cost),
        'BullMQ 6.7': value('raw', part, cost),
        ...(part === 'drain' && { 'bullmq, ten keys in turn': value('fair', part, cost) }),
      },
    };
  });
}

/** Beside BullMQ itself with the same retention and as many jobs at once, on the same Redis. */
export const bullmqBenches: readonly Bench[] = inTable('BullMQ', [
  bench('BullMQ: publishing one by one, sent', 'commands', 'publish', 'sent'),
  bench('BullMQ: publishing one by one, executed', 'commands', 'publish', 'executed'),
  bench('BullMQ: publishing one by one, client', 'µs of CPU', 'publish', 'clientUs'),
  bench('BullMQ: publishing one by one, server', 'µs of CPU', 'publish', 'serverUs'),
  bench('BullMQ: publishing in batches of 500, sent', 'commands', 'publishMany', 'sent'),
  bench('BullMQ: publishing in batches of 500, client', 'µs of CPU', 'publishMany', 'clientUs'),
  bench('BullMQ: publishing in batches of 500, server', 'µs of CPU', 'publishMany', 'serverUs'),
  bench('BullMQ: draining with 100 handlers at once, sent', 'commands', 'drain', 'sent'),
  bench('BullMQ: draining with 100 handlers at once, executed', 'commands', 'drain', 'executed'),
  bench('BullMQ: draining with 100 handlers at once, client', 'µs of CPU', 'drain', 'clientUs'),
  bench('BullMQ: draining with 100 handlers at once, server', 'µs of CPU', 'drain', 'serverUs'),
  bench('BullMQ: draining with 100 handlers at once, wall', 'µs', 'drain', 'wallUs'),
]);
