import KeyvRedis from '@keyv/redis';
import { RedisMessageProvider } from '@qified/redis';
import { Cacheable } from 'cacheable';
import { type Library, tell, ttlMs } from '../library.ts';

export const cacheable: Library = async wish => {
  const { source, place } = wish;
  const uri = `redis://127.0.0.1:${place?.port}`;
  const shared = place && {
    namespace: place.prefix,
    secondary: new KeyvRedis<number>(uri),
    sync: { qified: new RedisMessageProvider({ uri }), namespace: place.prefix },
  };
  const cache = new Cacheable({ ttl: ttlMs, ...shared });
  return {
    get: key => cache.getOrSet(key, () => source.load(key), { ttl: ttlMs }),
    write: tell(wish, {
      remove: key => cache.delete(key),
      put: (key, value) => cache.set(key, value, ttlMs),
    }),
    close: () => cache.disconnect(),
  };
};
