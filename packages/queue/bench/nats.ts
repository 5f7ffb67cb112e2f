import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { type Bench, figures, inTable, median, noiseFloor } from '@workspace/bench';
import { type NatsServer, startNats } from '@workspace/services';
import { nats } from '../src/adapters/nats.ts';
import { messages, Queue } from '../src/index.ts';

const count = 5_000;
const rounds = 5;
const concurrency = 100;
const payload = { order: '17', items: ['a', 'b', 'c'], note: 'x'.repeat(100) };

/** Microseconds a message: of the wall, and of this process. */
interface Cost {
  readonly wallUs: number;
  readonly clientUs: number;
}
interface Costs {
  readonly publish: Cost;
  readonly drain: Cost;
}

async function costOf(work: () => Promise<void>): Promise<Cost> {
  const [cpu, before] = [process.cpuUsage(), performance.now()];
  await work();
  const wallUs = ((performance.now() - before) * 1_000) / count;
  const { user, system } = process.cpuUsage(cpu);
  return { wallUs, clientUs: (user + system) / count };
}

async function ours({ port }: NatsServer, prefix: string): Promise<Costs> {
  await using queue = new Queue(nats({ connection: { servers: `127.0.0.1:${port}` }, prefix }), {
    messages: messages<{ work: typeof payload }>(),
  });
  await queue.declare('work');
  const publish = await costOf(async () => {
    for (let n = 0; n < count; n += 500) {
      await queue.publishMany('work', new Array<typeof payload>(500).fill(payload));
    }
  });
  const drain = await costOf(
    () =>
      new Promise<void>(resolve => {
        let handled = 0;
        const handler = async () => {
          if (++handled === count) resolve();
        };
        void queue.subscribe('work', handler, { concurrency });
      }),
  );
  return { publish, drain };
}

/** The client library alone: publishes confirmed, acknowledgements too; it keeps no stacks of requests, as our driver. */
async function raw({ port }: NatsServer, name: string): Promise<Costs> {
  const connection = await connect({ servers: `127.0.0.1:${port}`, noAsyncTraces: true });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name, subjects: [name], retention: 'interest', storage: 'file' });
  await manager.consumers.add(name, { durable_name: 'group', ack_policy: 'explicit' });
  const client = jetstream(connection);
  const encoder = new TextEncoder();
  const publish = await costOf(async () => {
    for (let n = 0; n < count; n += 500) {
      const batch = Array.from({ length: 500 }, (_, index) =>
        client.publish(name, encoder.encode(JSON.stringify(payload)), { msgID: `${n + index}` }),
      );
      await Promise.all(batch);
    }
  });
  const consumer = await client.consumers.get(name, 'group');
  const drain = await costOf(async () => {
    let handled = 0;
    const deliveries = await consumer.consume({ max_messages: concurrency });
    for await (const message of deliveries) {
      JSON.parse(new TextDecoder().decode(message.data));
      void message.ackAck().then(() => {
        if (++handled === count) deliveries.stop();
      });
    }
  });
  await connection.close();
  return { publish, drain };
}

let measured: Promise<Record<'ours' | 'again' | 'raw', Costs[]>> | undefined;

/** All of them in turns, once for all benches. */
function measure() {
  measured ??= (async () => {
    await using server = await startNats({ own: true });
    const all: Record<'ours' | 'again' | 'raw', Costs[]> = { ours: [], again: [], raw: [] };
    for (let round = 0; round <= rounds; round++) {
      const each = {
        ours: await ours(server, `ours-${round}`),
        raw: await raw(server, `raw-${round}`),
        again: await ours(server, `again-${round}`),
      };
      // The first is for the compiler
      if (round === 0) continue;
      for (const name of ['ours', 'again', 'raw'] as const) all[name].push(each[name]);
    }
    return all;
  })();
  return measured;
}

function bench(name: string, unit: string, part: keyof Costs, cost: keyof Cost): Bench {
  return figures(name, unit, async () => {
    const all = await measure();
    const value = (of: keyof typeof all) => median(all[of].map(each => each[part][cost]));
    return {
      ours: ['nats', value('ours')],
      peers: { [noiseFloor]: value('again'), '@nats-io/jetstream 3.3': value('raw') },
    };
  });
}

/** Beside the client library with as many messages in hands, each acknowledgement confirmed. */
export const natsBenches: readonly Bench[] = inTable('NATS', [
  bench('NATS: publishing in batches of 500, wall', 'µs', 'publish', 'wallUs'),
  bench('NATS: publishing in batches of 500, client', 'µs of CPU', 'publish', 'clientUs'),
  bench('NATS: draining with 100 handlers at once, wall', 'µs', 'drain', 'wallUs'),
  bench('NATS: draining with 100 handlers at once, client', 'µs of CPU', 'drain', 'clientUs'),
]);
