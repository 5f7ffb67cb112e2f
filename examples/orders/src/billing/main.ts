import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { Queue } from '@ashlar/queue';
import { endWithParent } from '@workspace/program';
import type { Place, Ports } from '../backends/backend.ts';
import { leaseMs } from '../backends/backend.ts';
import { openWorker } from '../backends/open.ts';
import { orderMessages } from '../messages.ts';

export interface Settings {
  readonly place: Place | Ports;
  /** Of the payment service. */
  readonly payments: string;
}

if (isMainThread) endWithParent();

const { place, payments } = (isMainThread ? JSON.parse(process.argv[2] ?? '{}') : workerData) as Settings;
const { driver, store } = await openWorker(place);
const queue = new Queue(driver, { messages: orderMessages, name: 'billing' });

// #region wiring
await queue.subscribe(
  'order.placed',
  async (order, { idempotencyKey, signal }) => {
    const response = await fetch(`${payments}/charges`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
      body: JSON.stringify(order),
      signal,
    });
    if (!response.ok) throw new Error(`the payment service answered ${response.status}`);
  },
  { group: 'billing', concurrency: 5, ...(store && { idempotency: { store, mode: 'external', leaseMs } }) },
);
// #endregion

if (isMainThread) process.send?.('ready');
else parentPort?.postMessage('ready');
