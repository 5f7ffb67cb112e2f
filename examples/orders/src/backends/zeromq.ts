import { startBroker, zeromq } from '@ashlar/queue/zeromq';
import { leaseMs, type Place, type ShopBackend, type WorkerBackend } from './backend.ts';

/** The broker runs in the process of the shop. */
export async function shopZeromq(run: string): Promise<ShopBackend> {
  const broker = await startBroker({ bind: 'tcp://127.0.0.1:*', leaseMs });
  const place: Place = { driver: 'zeromq', url: broker.endpoint, run };
  return {
    driver: zeromq({ connect: broker.endpoint }),
    connect: () => ({ place, transfer: [] }),
    [Symbol.asyncDispose]: () => broker.close(),
  };
}

/** Without a store: the payment service alone makes sure of once. */
export function workerZeromq({ url }: Place): WorkerBackend {
  return { driver: zeromq({ connect: url }), store: undefined };
}
