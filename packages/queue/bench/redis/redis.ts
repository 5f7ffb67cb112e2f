import { type Bench, figures, inTable, median, noiseFloor } from '@workspace/bench';
import { startRedis } from '@workspace/services';
import { Queue as Bull, Worker as BullWorker } from 'bullmq';
import { Redis } from 'ioredis';
import { redisStreams } from '../../src/adapters/redis-streams.ts';
import { messages, Queue } from '../../src/index.ts';
import { type Cost, costOf } from './redis-cost.ts';

const count = 10_000;
const rounds = 5;
const concurrency = 100;
const payload = { order: '17', items: ['a', 'b', 'c'], note: 'x'.repeat(100) };

/** Publishes and drains; the two are measured apart. */
interface Contender extends AsyncDisposable {
  publish(): Promise<void>;
  drain(): Promise<void>;
}

function ours(port: number, name: string, ordered = false): Contender {
  const redis = new Redis({ port, lazyConnect: true });
  const make = () =>
    new Queue(redisStreams({ redis, prefix: name }), { messages: messages<{ work: typeof payload }>() });
  const producer = make();
  return {
    async publish() {
      await producer.declare('work');
      for (let n = 0; n < count; n += 500) {
        const batch = new Array<typeof payload>(500).fill(payload);
        await producer.publishMany('work', batch, (_, n) => (ordered ? { key: `key ${n}` } : {}));
      }
    },
    async drain() {
      const consumer = make();
      await new Promise<void>(resolve => {
        let handled = 0;
        const handler = async () => {
          if (++handled === count) resolve();
        };
        void consumer.subscribe('work', handler, { concurrency, ordered });
      });
      await consumer.close();
    },
    async [Symbol.asyncDispose]() {
      await producer.close();
    },
  };
}

function bull(port: number, name: string): Contender {
  const connection = { port, host: '127.0.0.1', maxRetriesPerRequest: null };
  const queue = new Bull(name, { connection });
  return {
    async publish() {
      for (let n = 0; n < count; n += 500) {
        const job = { name: 'work', data: payload, opts: { removeOnComplete: true } };
        await queue.addBulk(new Array<typeof job>(500).fill(job));
      }
    },
    async drain() {
      const worker = new BullWorker(name, async () => {}, { connection, concurrency, autorun: false });
      await new Promise<void>(resolve => {
        let handled = 0;
        worker.on('completed', () => {
          if (++handled === count) resolve();
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

type Part = 'publish' | 'drain';
type Samples = Record<Part, Record<keyof Cost, number[]>>;

type Name = 'ours' | 'again' | 'bull' | 'ordered';

let measured: Promise<Record<Name, Samples>> | undefined;

/** All of them in turns, once for all benches. */
function measure(): Promise<Record<Name, Samples>> {
  measured ??= (async () => {
    await using server = await startRedis({ config: { appendonly: 'yes', appendfsync: 'everysec' } });
    const admin = new Redis(server.port);
    const none = () => ({ wallUs: [], clientUs: [], serverUs: [], sent: [], executed: [] });
    const empty = (): Samples => ({ publish: none(), drain: none() });
    const all = { ours: empty(), again: empty(), bull: empty(), ordered: empty() };
    try {
      for (let round = 0; round < rounds + 1; round++) {
        for (const [name, make] of [
          ['ours', ours],
          ['bull', bull],
          ['again', ours],
          ['ordered', (at: number, prefix: string) => ours(at, prefix, true)],
        ] as const) {
          await using contender = make(server.port, `${name}-${round}`);
          for (const part of ['publish', 'drain'] as const) {
            const cost = await costOf(admin, count, () => contender[part]());
            if (round === 0) continue;
            for (const each of Object.keys(cost) as (keyof Cost)[]) all[name][part][each].push(cost[each]);
          }
        }
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
      ours: ['redisStreams', value('ours')],
      peers: {
        [noiseFloor]: value('again'),
        'BullMQ 6.7': value('bull'),
        ...(part === 'drain' && cost !== 'sent' && { 'redisStreams, 500 keys in order': value('ordered') }),
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
