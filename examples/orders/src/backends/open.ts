import type { DriverName, Place, Ports, ShopBackend, WorkerBackend } from './backend.ts';

// Only what a run uses is loaded: workers are started again and again, and all libraries take longer than the rest of a start

/** @param run keeps what it leaves on a server apart from that of others */
export async function openShop(driver: DriverName, url: string, run: string): Promise<ShopBackend> {
  switch (driver) {
    case 'memory':
      return (await import('./memory.ts')).shopMemory();
    case 'redis':
      return (await import('./redis.ts')).shopRedis({ driver, url, run });
    case 'bullmq':
      return (await import('./bullmq.ts')).shopBullmq({ driver, url, run });
    case 'postgres':
      return (await import('./postgres.ts')).shopPostgres({ driver, url, run });
    case 'rabbitmq':
      return (await import('./rabbitmq.ts')).shopRabbitmq({ driver, url, run });
    case 'nats':
      return (await import('./nats.ts')).shopNats({ driver, url, run });
    case 'zeromq':
      return (await import('./zeromq.ts')).shopZeromq(run);
  }
}

export async function openWorker(place: Place | Ports): Promise<WorkerBackend> {
  switch (place.driver) {
    case 'memory':
      return (await import('./memory.ts')).workerMemory(place);
    case 'redis':
      return (await import('./redis.ts')).workerRedis(place);
    case 'bullmq':
      return (await import('./bullmq.ts')).workerBullmq(place);
    case 'postgres':
      return (await import('./postgres.ts')).workerPostgres(place);
    case 'rabbitmq':
      return (await import('./rabbitmq.ts')).workerRabbitmq(place);
    case 'nats':
      return (await import('./nats.ts')).workerNats(place);
    case 'zeromq':
      return (await import('./zeromq.ts')).workerZeromq(place);
  }
}
