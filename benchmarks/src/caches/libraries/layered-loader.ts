import { Redis } from 'ioredis';
import { createNotificationPair, Loader, RedisCache } from 'layered-loader';
import { type Library, type Place, tell, ttlMs } from '../library.ts';

export const layeredLoader: Library = async wish => {
  const { source, place } = wish;
  const { layers, end } = place === undefined ? { layers: {}, end: () => {} } : layersOf(place);
  const loader = new Loader<number>({
    inMemoryCache: { cacheId: place?.prefix ?? 'values', ttlInMsecs: ttlMs, maxItems: 10_000 },
    dataSourceGetOneFn: key => source.load(key),
    ...layers,
  });
  await loader.init();
  return {
    get: async key => (await loader.get(key)) ?? undefined,
    write: tell(wish, {
      remove: key => loader.invalidateCacheFor(key),
      put: (key, value) => loader.forceSetValue(key, value),
    }),
    close: () => loader.close().finally(end),
  };
};

function layersOf({ port, prefix }: Place) {
  const redis = new Redis({ port });
  // its types are those of the ioredis that it brings
  const its = redis as unknown as ConstructorParameters<typeof RedisCache>[0];
  const { publisher, consumer } = createNotificationPair<number>({
    channel: prefix,
    publisherRedis: { port },
    consumerRedis: { port },
  });
  return {
    layers: {
      asyncCache: new RedisCache<number>(its, { prefix, json: true, ttlInMsecs: ttlMs }),
      notificationPublisher: publisher,
      notificationConsumer: consumer,
    },
    end: () => redis.disconnect(),
  };
}
