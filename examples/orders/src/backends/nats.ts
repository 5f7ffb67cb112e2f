import { nats } from '@ashlar/queue/nats';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { leaseMs, type Place, type ShopBackend, type WorkerBackend } from './backend.ts';

export function shopNats(place: Place): ShopBackend {
  return {
    driver: driverOf(place),
    connect: () => ({ place, transfer: [] }),
    [Symbol.asyncDispose]: () => removeStreams(place),
  };
}

/** Without a store: the payment service alone makes sure of once. */
export function workerNats(place: Place): WorkerBackend {
  return { driver: driverOf(place), store: undefined };
}

function driverOf({ url, run }: Place): ShopBackend['driver'] {
  return nats({ connection: { servers: url }, prefix: `orders-${run}`, leaseMs });
}

async function removeStreams({ url, run }: Place): Promise<void> {
  const connection = await connect({ servers: url, reconnect: false }).catch(() => undefined);
  if (connection === undefined) return; // nothing was left there
  const { streams } = await jetstreamManager(connection);
  const names = [];
  for await (const name of streams.names()) if (name.includes(`orders-${run}`)) names.push(name);
  for (const name of names) await streams.delete(name);
  await connection.close();
}
