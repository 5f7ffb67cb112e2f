import { memoryDriver } from '@ashlar/queue';
import { memoryStore } from '@ashlar/store';
import { leaseMs, type Ports, type ShopBackend, type WorkerBackend } from './backend.ts';

/** In this thread, which answers for the workers in theirs. */
export function shopMemory(): ShopBackend {
  const driver = memoryDriver({ leaseMs });
  const store = memoryStore();
  return {
    driver,
    connect() {
      const [queue, keys] = [driver.connect(), store.connect()];
      return { place: { driver: 'memory', queue, store: keys }, transfer: [queue, keys] };
    },
    [Symbol.asyncDispose]: () => store.close(),
  };
}

export function workerMemory({ queue, store }: Ports): WorkerBackend {
  return { driver: memoryDriver({ port: queue }), store: memoryStore({ port: store }) };
}
