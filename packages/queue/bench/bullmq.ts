import { type Bench, figures, inTable, median, noiseFloor } from '@workspace/bench';
import { startRedis } from '@workspace/services';
import { Queue as Bull, Worker as BullWorker } from 'bullmq';
import { Redis } from 'ioredis';
import { bullmq } from '../src/adapters/bullmq.ts';
import { messages, Queue } from '../src/index.ts';
import { type Cost, costOf } from './redis/redis-cost.ts';

const count = 5_000;
const rounds = 5;
const concurrency = 100;
const payload = { order: '17', items: ['a', 'b', 'c'], note: 'x'.repeat(100) };
/** What our driver keeps by default. */
const kept = { removeOnComplete: { age: 60, count: 100_000 }, removeOnFail: { count: 10_000 } };

/** Publishes one by one, and in batches, and drains; each is measured apart. */
interface Contender extends AsyncDisposable {
  publish(): Promise<void>;
  publishMany(): Promise<void>;
  drain(): Promise<void>;
}

function ours(port: number, name: string, fair = false): Contender {
  const make = () =>
    new Queue(bullmq({ connection: { port }, prefix: name }), {
      messages: messages<{ work: typeof payload }>(),
    });
  const producer = make();
  const optionsOf = (n: number) => (fair ? { key: `tenant ${n % 10}` } : {});
  return {
    async publish() {
      await producer.declare('work');
      for (let n = 0; n < count; n++) await producer.publish('work', payload, optionsOf(n));
    },
    async publishMany() {
      for (let n = 0; n < count; n += 500) {
        await producer.publishMany('work', new Array<typeof payload>(500).fill(payload), (_, n) =>
          optionsOf(n),
        );
      }
    },
    async drain() {
      const consumer = make();
      await new Promise<void>(resolve => {
        let handled = 0;
        const handler = async () => {
          if (++handled === 2 * count) resolve();
        };
        void consumer.subscribe('work', handler, { concurrency, fair });
      });
      await consumer.close();
    },
    async [Symbol.asyncDispose]() {
      await producer.close();
    },
  };
}

function raw(port: number, prefix: string): Contender {
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
    async drain() {
      const options = { connection, prefix, concurrency, autorun: false };
      const worker = new BullWorker('work', async () => {}, options);
      await new Promise<void>(resolve => {
        let handled = 0;
        worker.on('completed', () => {
          if (++handled === 2 * count) resolve();
        });
        void worker.run();
      });
      await worker.close();
    },
    async [Symbol.asyncDispose]() {
      await queue.close();
    },
  };
}

type Part = 'publish' | 'publishMany' | 'drain';
type Name = 'ours' | 'again' | 'raw' | 'fair';
type Samples = Record<Part, Record<keyof Cost, number[]>>;

let measured: Promise<Record<Name, Samples>> | undefined;

/** All of them in turns, once for all benches. */
function measure(): Promise<Record<Name, Samples>> {
  measured ??= (async () => {
    await using server = await startRedis({ config: { appendonly: 'yes', appendfsync: 'everysec' } });
    const admin = new Redis(server.port);
    const none = () => ({ wallUs: [], clientUs: [], serverUs: [], sent: [], executed: [] });
    const empty = (): Samples => ({ publish: none(), publishMany: none(), drain: none() });
    const all = { ours: empty(), again: empty(), raw: empty(), fair: empty() };
    try {
      for (let round = 0; round < rounds + 1; round++) {
        for (const [name, make] of [
          ['ours', ours],
          ['raw', raw],
          ['again', ours],
          ['fair', (at: number, prefix: string) => ours(at, prefix, true)],
        ] as const) {
          await using contender = make(server.port, `${name}-${round}`);
          for (const part of ['publish', 'publishMany', 'drain'] as const) {
            const handled = part === 'drain' ? 2 * count : count;
            const cost = await costOf(admin, handled, () => contender[part]());
            if (round === 0) continue;
            for (const each of Object.keys(cost) as (keyof Cost)[]) all[name][part][each].push(cost[each]);
          }
        }
        await admin.flushall();
      }
    } finally {
      admin.disconnect();
    }
    return all;
  })();
  return measured;
}

function bench(name: string, unit: string, part: Part, cost: keyof Cost): Bench {
  return figures(name, unit, async () => {
    const all = await measure();
    const value = (of: Name) => median(all[of][part][cost]);
    return {
      ours: ['bullmq', value('ours')],
      peers: {
        [noiseFloor]: value('again'),
        'BullMQ 6.7': value('raw'),
        ...(part === 'drain' && { 'bullmq, ten keys in turn': value('fair') }),
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
