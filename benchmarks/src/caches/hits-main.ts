import { Cache, lru, sieve } from '@ashlar/cache-policies';
import { main, timing, type Work } from '@workspace/bench';
import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { Cacheable } from 'cacheable';
import { Loader } from 'layered-loader';
import { LRUCache } from 'lru-cache';
import { ttlMs } from './library.ts';

const max = 10_000;
const keys = Array.from({ length: 1_000 }, (_, i) => `user:${(i * 7) % 1_000}:profile`);
const values = new Map(keys.map(key => [key, { name: key }]));
const load = async (key: string) => values.get(key)!;

/** Awaits one `get` after the other, as whoever answers a request does; in the first round it loads. */
function gets(get: (key: string) => Promise<unknown>): Work {
  let next = 0;
  return async times => {
    let last: unknown;
    for (let i = 0; i < times; i++) {
      last = await get(keys[next]!);
      next = next + 1 === keys.length ? 0 : next + 1;
    }
    return last;
  };
}

function ours(): readonly [string, Work] {
  const cache = new Cache<string, unknown>({ max, load, ttlMs });
  return ['Cache with ttlMs', gets(key => cache.get(key))];
}

function alike(): Record<string, Work> {
  const unbounded = new Cache<string, unknown>({ max, load });
  const sieved = new Cache<string, unknown>({ max, load, ttlMs, eviction: sieve });
  const recent = new Cache<string, unknown>({ max, load, ttlMs, eviction: lru });
  const lruCache = new LRUCache<string, object>({ max, ttl: ttlMs, fetchMethod: load });
  const loader = new Loader({
    inMemoryCache: { cacheId: 'values', ttlInMsecs: ttlMs, maxItems: max },
    dataSourceGetOneFn: load,
  });
  return {
    'Cache without ttlMs': gets(key => unbounded.get(key)),
    'Cache with ttlMs and sieve': gets(key => sieved.get(key)),
    'Cache with ttlMs and lru': gets(key => recent.get(key)),
    'an async function over a Map': gets(load),
    'lru-cache fetch': gets(key => lruCache.fetch(key)),
    'layered-loader get': gets(key => loader.get(key)),
  };
}

function bentocache(): Record<string, Work> {
  const store = bentostore().useL1Layer(memoryDriver({ maxItems: max, serialize: false }));
  const cache = new BentoCache({ default: 'values', ttl: ttlMs, stores: { values: store } });
  return { 'bentocache getOrSet': gets(key => cache.getOrSet({ key, factory: () => load(key) })) };
}

function cacheable(): Record<string, Work> {
  const cache = new Cacheable({ ttl: ttlMs });
  return { 'cacheable getOrSet': gets(key => cache.getOrSet(key, () => load(key), { ttl: ttlMs })) };
}

// Those that leave much garbage are measured by themselves, so that nobody pays for it but they
await main([
  timing('get of what is there and fresh', () => ({ ours: ours(), peers: alike() })),
  timing('the same, beside bentocache', () => ({ ours: ours(), peers: bentocache() })),
  timing('the same, beside cacheable', () => ({ ours: ours(), peers: cacheable() })),
]);
