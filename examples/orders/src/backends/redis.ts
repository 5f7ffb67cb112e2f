import { redisStreams } from '@ashlar/queue/redis-streams';
import { redisStore } from '@ashlar/store/redis';
import { Redis } from 'ioredis';
import { leaseMs, type Place, type ShopBackend, type WorkerBackend } from './backend.ts';

export function shopRedis(place: Place): ShopBackend {
  const redis = redisOf(place);
  return {
    driver: driverOf(place, redis),
    connect: () => ({ place, transfer: [] }),
    [Symbol.asyncDispose]: () => removeKeys(redis, place),
  };
}

export function workerRedis(place: Place): WorkerBackend {
  const redis = redisOf(place);
  return { driver: driverOf(place, redis), store: redisStore({ redis, prefix: `billed-${place.run}` }) };
}

export function redisOf({ url }: Place): Redis {
  const redis = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: 1 });
  redis.on('error', () => {}); // The calls reject with it
  return redis;
}

/** Takes away what the run has left there; where the server is gone there is nothing to take away. */
export async function removeKeys(redis: Redis, { run }: Place): Promise<void> {
  const keys = await redis.keys(`*-${run}*`).catch(() => []);
  if (keys.length > 0) await redis.unlink(keys).catch(() => {});
  redis.disconnect();
}

function driverOf({ run }: Place, redis: Redis): ShopBackend['driver'] {
  return redisStreams({ redis, prefix: `orders-${run}`, leaseMs, allowEviction: true });
}
