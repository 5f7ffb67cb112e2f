import { rabbitmq } from '@ashlar/queue/rabbitmq';
import { connect } from 'amqplib';
import type { Place, ShopBackend, WorkerBackend } from './backend.ts';

export function shopRabbitmq(place: Place): ShopBackend {
  return {
    driver: driverOf(place),
    connect: () => ({ place, transfer: [] }),
    [Symbol.asyncDispose]: () => removeQueues(place),
  };
}

/** Without a store: the payment service alone makes sure of once. */
export function workerRabbitmq(place: Place): WorkerBackend {
  return { driver: driverOf(place), store: undefined };
}

function driverOf({ url, run }: Place): ShopBackend['driver'] {
  return rabbitmq({ url, prefix: `orders-${run}` });
}

/** The exchange of the topic, the queue of the group, and that of its dead letters. */
async function removeQueues({ url, run }: Place): Promise<void> {
  const connection = await connect(url).catch(() => undefined);
  if (connection === undefined) return; // Nothing was left there
  const exchange = `orders-${run}:order.placed`;
  const queue = `${exchange}:billing`;
  const channel = await connection.createChannel();
  for (const name of [queue, `${queue}:dead`]) await channel.deleteQueue(name);
  await channel.deleteExchange(exchange);
  await connection.close();
}
