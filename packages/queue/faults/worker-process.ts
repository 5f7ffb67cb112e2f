import { setTimeout as delay } from 'node:timers/promises';
import { type Address, queueAt } from './kinds.ts';

export interface WorkerSettings {
  readonly address: Address;
  /** Milliseconds that a handler takes. */
  readonly workMs: number;
  /** The message during which the event loop stands still, and for how long. */
  readonly stall?: { readonly n: number; readonly ms: number };
}

/** What a worker says of its messages. */
export type WorkerMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'begun' | 'done'; readonly n: number; readonly attempt: number };

const { address, workMs, stall } = JSON.parse(process.argv[2]!) as WorkerSettings;
const say = (message: WorkerMessage) => process.send!(message);

const queue = queueAt(address);
await queue.subscribe(
  'work',
  async ({ n }, { attempt }) => {
    say({ kind: 'begun', n, attempt });
    if (n === stall?.n && attempt === 1) {
      // Let the words out first
      await delay(50);
      const until = performance.now() + stall.ms;
      while (performance.now() < until);
    }
    await delay(workMs);
    say({ kind: 'done', n, attempt });
  },
  { concurrency: 5, attempts: 20, backoff: { firstMs: 50, maxMs: 500 } },
);
say({ kind: 'ready' });
process.on('SIGTERM', () => {
  void queue.close().then(() => process.exit(0));
});
