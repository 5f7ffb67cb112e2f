import type { DriverName, Place, Ports, ShopBackend, WorkerBackend } from './backend.ts';
import { shopBullmq, workerBullmq } from './bullmq.ts';
import { shopMemory, workerMemory } from './memory.ts';
import { shopNats, workerNats } from './nats.ts';
import { shopPostgres, workerPostgres } from './postgres.ts';
import { shopRabbitmq, workerRabbitmq } from './rabbitmq.ts';
import { shopRedis, workerRedis } from './redis.ts';
import { shopZeromq, workerZeromq } from './zeromq.ts';

/** @param run keeps what it leaves on a server apart from that of others */
export async function openShop(driver: DriverName, url: string, run: string): Promise<ShopBackend> {
  switch (driver) {
    case 'memory':
      return shopMemory();
    case 'redis':
      return shopRedis({ driver, url, run });
    case 'bullmq':
      return shopBullmq({ driver, url, run });
    case 'postgres':
      return await shopPostgres({ driver, url, run });
    case 'rabbitmq':
      return shopRabbitmq({ driver, url, run });
    case 'nats':
      return shopNats({ driver, url, run });
    case 'zeromq':
      return await shopZeromq(run);
  }
}

export function openWorker(place: Place | Ports): WorkerBackend {
  switch (place.driver) {
    case 'memory':
      return workerMemory(place);
    case 'redis':
      return workerRedis(place);
    case 'bullmq':
      return workerBullmq(place);
    case 'postgres':
      return workerPostgres(place);
    case 'rabbitmq':
      return workerRabbitmq(place);
    case 'nats':
      return workerNats(place);
    case 'zeromq':
      return workerZeromq(place);
  }
}
