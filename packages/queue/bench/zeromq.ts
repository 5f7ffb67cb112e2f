import { type Bench, figures, inTable, median, noiseFloor } from '@workspace/bench';
import { Pull, Push } from 'zeromq';
import { zeromq } from '../src/adapters/zeromq.ts';
import { messages, Queue } from '../src/index.ts';
import { startZeroMQ, type ZeroMQServer } from '../test/support/zeromq-server.ts';

const count = 20_000;
const rounds = 5;
const payload = { order: '17', items: ['a', 'b', 'c'], note: 'x'.repeat(100) };

/** Messages a second. */
interface Speeds {
  readonly published: number;
  readonly drained: number;
}
type Contender = 'plain' | 'again' | 'logged' | 'unsynced';

function perSecond(since: number): number {
  return (count * 1_000) / (performance.now() - since);
}

async function speedsAt({ endpoint }: ZeroMQServer, durable: boolean): Promise<Speeds> {
  await using queue = new Queue(zeromq({ connect: endpoint, durable }), {
    messages: messages<{ work: typeof payload }>(),
  });
  await queue.declare('work');
  const publishing = performance.now();
  for (let n = 0; n < count; n += 500) {
    await queue.publishMany('work', new Array<typeof payload>(500).fill(payload));
  }
  const published = perSecond(publishing);
  const draining = performance.now();
  await new Promise<void>(resolve => {
    let handled = 0;
    const handler = async () => {
      if (++handled === count) resolve();
    };
    void queue.subscribe('work', handler, { concurrency: 100 });
  });
  return { published, drained: perSecond(draining) };
}

/** The transport alone, in one process: nothing is confirmed, acknowledged or kept. */
async function rawSpeed(): Promise<number> {
  const push = new Push({ sendHighWaterMark: 0, linger: 0 });
  const pull = new Pull({ receiveHighWaterMark: 0 });
  await pull.bind('tcp://127.0.0.1:*');
  push.connect(pull.lastEndpoint!);
  const body = Buffer.from(JSON.stringify(payload));
  const since = performance.now();
  const receiving = (async () => {
    let received = 0;
    for await (const _ of pull) if (++received === count) return;
  })();
  for (let n = 0; n < count; n++) await push.send(body);
  await receiving;
  const speed = perSecond(since);
  push.close();
  pull.close();
  return speed;
}

let measured: Promise<{ speeds: Record<Contender, Speeds[]>; raw: number[] }> | undefined;

/** All of them in turns, once for all benches. */
function measure() {
  measured ??= (async () => {
    await using plain = await startZeroMQ();
    await using logged = await startZeroMQ({ log: true });
    await using unsynced = await startZeroMQ({ log: { fsync: false } });
    const speeds: Record<Contender, Speeds[]> = { plain: [], again: [], logged: [], unsynced: [] };
    const raw: number[] = [];
    for (let round = 0; round <= rounds; round++) {
      const each = {
        plain: await speedsAt(plain, false),
        logged: await speedsAt(logged, true),
        unsynced: await speedsAt(unsynced, true),
        again: await speedsAt(plain, false),
      };
      const transport = await rawSpeed();
      if (round === 0) continue;
      for (const [name, speed] of Object.entries(each)) speeds[name as Contender].push(speed);
      raw.push(transport);
    }
    return { speeds, raw };
  })();
  return measured;
}

function bench(name: string, part: keyof Speeds): Bench {
  return figures(name, 'messages/s', async () => {
    const { speeds, raw } = await measure();
    const value = (of: Contender) => median(speeds[of].map(each => each[part]));
    return {
      ours: ['zeromq without a log', value('plain')],
      peers: {
        [noiseFloor]: value('again'),
        'with a log, synced': value('logged'),
        'with a log, fsync: false': value('unsynced'),
        'raw PUSH to PULL, nothing confirmed': median(raw),
      },
    };
  });
}

export const zeromqBenches: readonly Bench[] = inTable('ZeroMQ', [
  bench('ZeroMQ: publishing in batches of 500', 'published'),
  bench('ZeroMQ: draining with 100 handlers at once', 'drained'),
]);
