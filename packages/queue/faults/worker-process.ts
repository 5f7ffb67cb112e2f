import { setTimeout as delay } from 'node:timers/promises';
import { type Address, places, queueAt } from './kinds.ts';

export interface WorkerSettings {
  readonly address: Address;
  /** Milliseconds that a handler takes. */
  readonly workMs: number;
  /** How long the event loop stands still during the first message, in milliseconds. */
  readonly stallMs?: number;
}

/** What a worker says of its messages. */
export type WorkerMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'begun' | 'done'; readonly n: number; readonly attempt: number };

const { address, workMs, stallMs } = JSON.parse(process.argv[2]!) as WorkerSettings;
const say = (message: WorkerMessage) => process.send!(message);

const queue = queueAt(address);
let isFirst = true;
await queue.subscribe(
  'work',
  async ({ n }, { attempt }) => {
    say({ kind: 'begun', n, attempt });
    if (stallMs !== undefined && isFirst) {
      isFirst = false;
      // Let the words out first
      await delay(50);
      const until = performance.now() + stallMs;
      while (performance.now() < until);
    }
    await delay(workMs);
    say({ kind: 'done', n, attempt });
  },
  { concurrency: places, attempts: 20, backoff: { firstMs: 50, maxMs: 500 } },
);
say({ kind: 'ready' });
process.on('SIGTERM', () => {
  // It ends by itself when what it has said is out
  void queue.close().then(() => process.disconnect());
});
