import { Cache, cacheAside, writeThrough } from '@ashlar/cache-policies';
import { redisTier } from '@ashlar/cache-policies/redis';
import { Redis } from 'ioredis';
import { type Library, type Place, tell, ttlMs, type Wish } from '../library.ts';

/** The source is written by hand. */
export const ashlar: Library = async wish => {
  const { source, place } = wish;
  const { remote, end } = tierOf(place);
  const cache = new Cache<string, number>({ max: 10_000, ttlMs, load: key => source.load(key), ...remote });
  return {
    get: key => cache.get(key),
    write: tell(wish, { remove: key => cache.delete(key), put: (key, value) => cache.set(key, value) }),
    close: () => cache.close().finally(end),
  };
};

/** The source is written by the cache: aside, which deletes the key, or through, which keeps the value. */
export const ashlarStrategy: Library = async ({ source, how, place }: Wish) => {
  const strategy = how === 'delete' ? cacheAside : writeThrough;
  const { remote, end } = tierOf(place);
  const cache = new Cache<string, number>({
    ...{ max: 10_000, ttlMs, load: key => source.load(key), ...remote },
    write: strategy<string, number>({ write: (key, value) => source.write(key, value!) }),
  });
  return {
    get: key => cache.get(key),
    write: (key, value) => cache.set(key, value),
    close: () => cache.close().finally(end),
  };
};

function tierOf(place: Place | undefined) {
  if (place === undefined) return { remote: {}, end: () => {} };
  const redis = new Redis({ port: place.port, lazyConnect: true });
  return { remote: { remote: redisTier({ redis, prefix: place.prefix }) }, end: () => redis.disconnect() };
}
