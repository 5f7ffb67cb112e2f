import { parentPort } from 'node:worker_threads';
import { type MemoryStore, memoryStore } from '../../src/index.ts';

type Order =
  | { readonly open: number; readonly ports: number }
  | { readonly close: number }
  | { readonly busyMs: number };

const stores = new Map<number, MemoryStore>();
parentPort!.on('message', (order: Order) => {
  if ('open' in order) {
    const store = memoryStore();
    stores.set(order.open, store);
    const ports = Array.from({ length: order.ports }, () => store.connect());
    parentPort!.postMessage(ports, ports);
  } else if ('close' in order) {
    void stores.get(order.close)?.close();
    stores.delete(order.close);
  } else {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, order.busyMs);
  }
});
parentPort!.postMessage('ready');
