import { median } from '@workspace/bench';
import { startRedis } from '@workspace/services';
import { Worker as BullWorker, type ConnectionOptions } from 'bullmq';
import { Redis } from 'ioredis';
import { type Cost, costOf } from './redis-cost.ts';

/** As many handlers as run at once. */
export const concurrency = 100;

export interface Payload {
  readonly order: string;
  readonly items: readonly string[];
  readonly note: string;
}
export const payload: Payload = { order: '17', items: ['a', 'b', 'c'], note: 'x'.repeat(100) };

/** Publishes in its ways, and drains; each part is measured apart. */
export type Contender<P extends string> = Readonly<Record<P, () => Promise<void>>> & AsyncDisposable;

export interface Contest<N extends string, P extends string> {
  /** Makes one that publishes to the server at this port, below a prefix of its own. */
  readonly contenders: Readonly<Record<N, (port: number, prefix: string) => Contender<P>>>;
  /** The parts in their order, each with its messages. */
  readonly messages: Readonly<Record<P, number>>;
}

const rounds = 5;

/** The median of what a message costs them, in turns on one Redis, without a first round. */
export async function contest<N extends string, P extends string>({
  contenders,
  messages,
}: Contest<N, P>): Promise<(name: N, part: P, cost: keyof Cost) => number> {
  const samples: { readonly name: string; readonly part: string; readonly cost: Cost }[] = [];
  await using server = await startRedis({ config: { appendonly: 'yes', appendfsync: 'everysec' } });
  const admin = new Redis(server.port);
  try {
    for (let round = 0; round < rounds + 1; round++) {
      for (const [name, make] of Object.entries<Contest<N, P>['contenders'][N]>(contenders)) {
        await using contender = make(server.port, `${name}-${round}`);
        for (const [part, count] of Object.entries<number>(messages)) {
          const cost = await costOf(admin, count, () => contender[part as P]());
          if (round > 0) samples.push({ name, part, cost });
        }
      }
      await admin.flushall();
    }
  } finally {
    admin.disconnect();
  }
  return (name, part, cost) => {
    const its = samples.filter(sample => sample.name === name && sample.part === part);
    return median(its.map(sample => sample.cost[cost]));
  };
}

/** Resolves when the handler that `subscribe` was given has run so often. */
export function handled(count: number, subscribe: (handler: () => Promise<void>) => void): Promise<void> {
  return new Promise(resolve => {
    let calls = 0;
    subscribe(async () => {
      if (++calls === count) resolve();
    });
  });
}

/** Drains a queue of BullMQ with its own worker. */
export async function drainedByWorker(
  queue: string,
  count: number,
  options: { readonly connection: ConnectionOptions; readonly prefix: string },
): Promise<void> {
  const worker = new BullWorker(queue, async () => {}, { ...options, concurrency, autorun: false });
  await handled(count, done => {
    worker.on('completed', done);
    void worker.run();
  });
  await worker.close();
}
