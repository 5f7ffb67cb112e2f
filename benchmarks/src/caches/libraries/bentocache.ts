import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis';
import { type Library, tell, ttlMs } from '../library.ts';

export const bentocache: Library = async wish => {
  const { source, place } = wish;
  const store = bentostore().useL1Layer(memoryDriver({ maxItems: 10_000 }));
  if (place !== undefined) {
    const connection = { port: place.port };
    store
      .useL2Layer(redisDriver({ connection, prefix: place.prefix }))
      .useBus(redisBusDriver({ connection }));
  }
  const cache = new BentoCache({ default: 'values', ttl: ttlMs, stores: { values: store } });
  return {
    get: key => cache.getOrSet({ key, factory: () => source.load(key) }),
    write: tell(wish, {
      remove: key => cache.delete({ key }),
      put: (key, value) => cache.set({ key, value }),
    }),
    close: () => cache.disconnectAll(),
  };
};
