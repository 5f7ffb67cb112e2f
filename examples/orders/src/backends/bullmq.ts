import { bullmq } from '@ashlar/queue/bullmq';
import { redisStore } from '@ashlar/store/redis';
import type { Redis } from 'ioredis';
import { leaseMs, type Place, type ShopBackend, type WorkerBackend } from './backend.ts';
import { redisOf, removeKeys } from './redis.ts';

export function shopBullmq(place: Place): ShopBackend {
  const redis = redisOf(place);
  return {
    driver: driverOf(place, redis),
    connect: () => ({ place, transfer: [] }),
    [Symbol.asyncDispose]: () => removeKeys(redis, place),
  };
}

export function workerBullmq(place: Place): WorkerBackend {
  const redis = redisOf(place);
  return { driver: driverOf(place, redis), store: redisStore({ redis, prefix: `billed-${place.run}` }) };
}

function driverOf({ run }: Place, connection: Redis): ShopBackend['driver'] {
  return bullmq({ connection, prefix: `orders-${run}`, leaseMs, allowEviction: true });
}
