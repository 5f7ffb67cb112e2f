import { type Bench, figures, inTable, median, noiseFloor } from '@workspace/bench';
import { startRabbit } from '@workspace/services';
import { connect } from 'amqplib';
import { rabbitmq } from '../src/adapters/rabbitmq.ts';
import { messages, Queue } from '../src/index.ts';
import { type AmqpCounter, type Sent, startAmqpCounter } from './amqp-counter.ts';

const count = 5_000;
/** One by one, each of which waits for a disk. */
const singles = 500;
const batch = 500;
const rounds = 5;
const concurrency = 100;
const payload = { order: '17', items: ['a', 'b', 'c'], note: 'x'.repeat(100) };

/** Publishes one by one and in batches, and drains; each is measured apart. */
interface Contender extends AsyncDisposable {
  /** Before anything is measured. */
  begin(): Promise<void>;
  publish(): Promise<void>;
  publishMany(): Promise<void>;
  drain(): Promise<void>;
}
type Part = 'publish' | 'publishMany' | 'drain';
const messagesOf: Readonly<Record<Part, number>> = {
  publish: singles,
  publishMany: count,
  drain: singles + count,
};

function ours(port: number, prefix: string): Contender {
  const url = `amqp://guest:guest@127.0.0.1:${port}`;
  const make = () => new Queue(rabbitmq({ url, prefix }), { messages: messages<{ work: typeof payload }>() });
  const producer = make();
  return {
    async begin() {
      await producer.declare('work');
      await producer.publish('work', payload);
    },
    async publish() {
      for (let n = 0; n < singles; n++) await producer.publish('work', payload);
    },
    async publishMany() {
      const payloads = new Array<typeof payload>(batch).fill(payload);
      for (let n = 0; n < count; n += batch) await producer.publishMany('work', payloads);
    },
    async drain() {
      const consumer = make();
      await new Promise<void>(resolve => {
        let handled = 0;
        const handler = async () => {
          if (++handled === messagesOf.drain) resolve();
        };
        void consumer.subscribe('work', handler, { concurrency });
      });
      await consumer.close();
    },
    async [Symbol.asyncDispose]() {
      await producer.close();
    },
  };
}

/** The client library alone, with the same queue: persistent, routed surely, confirmed, acknowledged one by one. */
function raw(port: number, name: string): Contender {
  const url = `amqp://guest:guest@127.0.0.1:${port}`;
  const connecting = connect(url, { noDelay: true });
  const opening = connecting.then(connection => connection.createConfirmChannel());
  let sent = 0;
  const publish = async () => {
    const channel = await opening;
    const options = { persistent: true, mandatory: true, messageId: `${++sent}` };
    await new Promise<void>((resolve, reject) => {
      const settle = (error: unknown) => (error === null ? resolve() : reject(error));
      channel.publish(name, '', Buffer.from(JSON.stringify(payload)), options, settle);
    });
  };
  return {
    async begin() {
      const channel = await opening;
      await channel.assertExchange(name, 'fanout', { durable: true });
      const queue = { 'x-queue-type': 'quorum', 'x-max-length': 1_000_000, 'x-overflow': 'reject-publish' };
      await channel.assertQueue(name, { durable: true, arguments: queue });
      await channel.bindQueue(name, name, '');
      await publish();
    },
    async publish() {
      for (let n = 0; n < singles; n++) await publish();
    },
    async publishMany() {
      for (let n = 0; n < count; n += batch) await Promise.all(Array.from({ length: batch }, publish));
    },
    async drain() {
      const connection = await connect(url, { noDelay: true });
      const channel = await connection.createChannel();
      await channel.prefetch(concurrency);
      await new Promise<void>(resolve => {
        let handled = 0;
        void channel.consume(name, message => {
          JSON.parse(message!.content.toString());
          channel.ack(message!);
          if (++handled === messagesOf.drain) resolve();
        });
      });
      await channel.close();
      await connection.close();
    },
    async [Symbol.asyncDispose]() {
      await (await connecting).close();
    },
  };
}

const contenders = { ours, raw, again: ours } as const;
type Name = keyof typeof contenders;

/** Of one message: microseconds of the wall and of this process; frames and bytes that were sent. */
type Cost = Partial<Record<'wallUs' | 'clientUs' | 'frames' | 'bytes', number>>;
type Measured = Record<Name, Record<Part, Cost[]>>;

async function costOf(part: Part, contender: Contender): Promise<Cost> {
  const [cpu, before] = [process.cpuUsage(), performance.now()];
  await contender[part]();
  const wallUs = ((performance.now() - before) * 1_000) / messagesOf[part];
  const { user, system } = process.cpuUsage(cpu);
  return { wallUs, clientUs: (user + system) / messagesOf[part] };
}

async function sentBy(part: Part, contender: Contender, counter: AmqpCounter): Promise<Cost> {
  counter.take();
  await contender[part]();
  const { frames, bytes } = withoutBeats(counter.take());
  const total = [...frames.values()].reduce((sum, each) => sum + each, 0);
  return { frames: total / messagesOf[part], bytes: bytes / messagesOf[part] };
}

/** They go by the clock. */
function withoutBeats(sent: Sent): Sent {
  sent.frames.delete('heartbeat');
  return sent;
}

let measured: Promise<Measured> | undefined;

/** All of them in turns, once for all benches. */
function measure(): Promise<Measured> {
  measured ??= (async () => {
    await using server = await startRabbit({ own: true });
    await using counter = await startAmqpCounter(server.port);
    const none = () => ({ publish: [], publishMany: [], drain: [] });
    const all: Measured = { ours: none(), raw: none(), again: none() };
    for (let round = 0; round <= rounds; round++) {
      // The first is for the compiler, and for what is sent: who counts takes time of this process
      const isCounted = round === 0;
      for (const name of Object.keys(contenders) as Name[]) {
        await using contender = contenders[name](isCounted ? counter.port : server.port, `${name}-${round}`);
        await contender.begin();
        for (const part of ['publish', 'publishMany', 'drain'] as const) {
          const cost = isCounted ? await sentBy(part, contender, counter) : await costOf(part, contender);
          all[name][part].push(cost);
        }
      }
    }
    return all;
  })();
  return measured;
}

function bench(name: string, unit: string, part: Part, cost: keyof Cost): Bench {
  return figures(`RabbitMQ: ${name}`, unit, async () => {
    const all = await measure();
    const value = (of: Name) => median(all[of][part].flatMap(each => each[cost] ?? []));
    return {
      ours: ['rabbitmq', value('ours')],
      peers: { [noiseFloor]: value('again'), 'amqplib 2': value('raw') },
    };
  });
}

/** Beside the client library with a queue of the same kind and as many messages in hands. */
export const rabbitmqBenches: readonly Bench[] = inTable('RabbitMQ', [
  bench('publishing one by one, sent', 'frames', 'publish', 'frames'),
  bench('publishing one by one, client', 'µs of CPU', 'publish', 'clientUs'),
  bench('publishing in batches of 500, sent', 'frames', 'publishMany', 'frames'),
  bench('publishing in batches of 500, sent', 'bytes', 'publishMany', 'bytes'),
  bench('publishing in batches of 500, client', 'µs of CPU', 'publishMany', 'clientUs'),
  bench('publishing in batches of 500, wall', 'µs', 'publishMany', 'wallUs'),
  bench('draining with 100 handlers at once, sent', 'frames', 'drain', 'frames'),
  bench('draining with 100 handlers at once, sent', 'bytes', 'drain', 'bytes'),
  bench('draining with 100 handlers at once, client', 'µs of CPU', 'drain', 'clientUs'),
  bench('draining with 100 handlers at once, wall', 'µs', 'drain', 'wallUs'),
]);
