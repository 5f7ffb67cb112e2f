import { type Bench, figures, inTable, median, noiseFloor } from '@workspace/bench';
import { type Capabilities, type Delivery, type Driver, messages, Queue } from '../src/index.ts';

const count = 20_000;
const rounds = 15;
/** What the engine may cost a message, on each side. */
const targetUs = 3;

/** A broker that costs nothing: what is left is the engine's own. */
class Stub implements Driver<Capabilities> {
  readonly capabilities = { delay: true, priority: true, fanout: true, durable: true, orderedKeys: true };
  readonly #deliveries: readonly Delivery[];

  constructor(deliveries: readonly Delivery[] = []) {
    this.#deliveries = deliveries;
  }

  async declare() {}

  async publish(_topic: string, batch: readonly unknown[]) {
    return batch.map(() => ({ ok: true }) as const);
  }

  async *consume(_topic: string, _group: string, { signal }: { readonly signal: AbortSignal }) {
    yield* this.#deliveries;
    if (signal.aborted) return;
    await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }));
  }

  async [Symbol.asyncDispose]() {}
}

const body = new Uint8Array(100);
const settled = Promise.resolve();
const delivery: Delivery = {
  id: 'id',
  body,
  headers: { 'content-type': 'application/octet-stream' },
  deliveries: 1,
  failures: 0,
  ack: () => settled,
  nack: () => settled,
  extend: () => settled,
};

interface Messages {
  work: Uint8Array;
}

function queueOver(driver: Stub): Queue<Messages, Capabilities> {
  return new Queue(driver, { messages: messages<Messages>() });
}

async function cpuUs(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

async function sampled(works: readonly (() => Promise<void>)[]): Promise<number[]> {
  const samples: number[][] = works.map(() => []);
  for (let round = 0; round < rounds + 2; round++) {
    for (const [index, work] of works.entries()) {
      const us = await cpuUs(work);
      if (round >= 2) samples[index]!.push(us);
    }
  }
  return samples.map(median);
}

async function consumed(): Promise<void> {
  const queue = queueOver(new Stub(Array.from({ length: count }, () => delivery)));
  let handled = 0;
  await new Promise<void>(resolve => {
    const handler = async () => {
      if (++handled === count) resolve();
    };
    void queue.subscribe('work', handler, { concurrency: 100 });
  });
  await queue.close();
}

/** The same without the engine: what the stub and the loop over it cost. */
async function bareConsumed(): Promise<void> {
  const stub = new Stub(Array.from({ length: count }, () => delivery));
  const stop = new AbortController();
  let handled = 0;
  for await (const each of stub.consume('work', 'group', { signal: stop.signal })) {
    void each.ack();
    if (++handled === count) break;
  }
}

export const engine: readonly Bench[] = inTable('engine', [
  figures('engine: publishing a message of raw bytes, over a stub of a broker', 'µs of CPU', async () => {
    const queue = queueOver(new Stub());
    const stub = new Stub();
    const published = async () => {
      for (let n = 0; n < count; n++) await queue.publish('work', body);
    };
    const bare = async () => {
      for (let n = 0; n < count; n++) await stub.publish('work', [{ id: 'id', body, headers: {} }]);
    };
    const [ours, again, peer] = (await sampled([published, published, bare])) as [number, number, number];
    await queue.close();
    return {
      ours: ['Queue, beyond the stub', ours - peer],
      peers: { target: targetUs, [noiseFloor]: again - peer },
    };
  }),
  figures('engine: handling a message of raw bytes, over a stub of a broker', 'µs of CPU', async () => {
    const [ours, again, peer] = (await sampled([consumed, consumed, bareConsumed])) as [
      number,
      number,
      number,
    ];
    return {
      ours: ['Queue, beyond the stub', ours - peer],
      peers: { target: targetUs, [noiseFloor]: again - peer },
    };
  }),
]);
