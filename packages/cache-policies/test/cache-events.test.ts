import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect, it, onTestFinished } from 'vitest';
import { type AccessObserver, cacheAside, lru, memoryTier, writeBehind } from '../src/index.ts';
import { manualCache, settle } from './support/caches.ts';
import { nobody } from './support/tiers.ts';

function heard(...names: readonly string[]): unknown[][] {
  const messages: unknown[][] = [];
  for (const name of names) {
    const listener = (message: unknown) => void messages.push([name, message]);
    subscribe(`ashlar:cache-policies:${name}`, listener);
    onTestFinished(() => void unsubscribe(`ashlar:cache-policies:${name}`, listener));
  }
  return messages;
}

it('tells what happens on its channels', async () => {
  const told = heard('hit', 'miss', 'load', 'evict', 'reset');
  const remote = memoryTier();
  const { cache } = manualCache({ name: 'c', max: 1, eviction: lru, remote, load: async key => `${key}!` });
  await cache.get('a');
  await cache.get('a');
  await settle();
  await cache.get('b');
  await settle();
  await cache.get('a');
  await remote.open(nobody).clear();
  expect(told).toEqual([
    ['miss', { cache: 'c', key: 'a' }],
    ['load', { cache: 'c', key: 'a', durationMs: 0, background: false }],
    // the second `get` had the answer of the first, which was being stored
    ['miss', { cache: 'c', key: 'a' }],
    ['miss', { cache: 'c', key: 'b' }],
    ['load', { cache: 'c', key: 'b', durationMs: 0, background: false }],
    ['evict', { cache: 'c', key: 'a' }],
    ['miss', { cache: 'c', key: 'a' }],
    ['evict', { cache: 'c', key: 'b' }],
    ['hit', { cache: 'c', key: 'a', tier: 'remote' }],
    ['reset', { cache: 'c', reason: 'cleared' }],
  ]);
});

it('tells of what was written behind', async () => {
  const told = heard('flush');
  const write = writeBehind<string, string>({ write: async () => {} });
  const { cache } = manualCache<string, string>({ name: 'c', write });
  await Promise.all([cache.set('a', '1'), cache.set('b', '2')]);
  expect(told).toEqual([]);
  await cache.flush();
  expect(told).toEqual([['flush', { cache: 'c', count: 2, durationMs: 0 }]]);
});

it('tells of loads and writes that failed', async () => {
  const told = heard('load', 'write-failed');
  const error = new Error('down');
  const { cache } = manualCache<string, string>({
    load: async () => {
      throw error;
    },
    write: cacheAside({
      write: async () => {
        throw error;
      },
    }),
  });
  await cache.get('a').catch(() => {});
  await cache.set('a', '1').catch(() => {});
  expect(told).toEqual([
    ['load', { cache: 'cache', key: 'a', durationMs: 0, background: false, error }],
    ['write-failed', { cache: 'cache', keys: ['a'], attempt: 1, kept: false, error }],
  ]);
});

it('tells an observer of the hits of what it follows, and counts the others', async () => {
  const seen: string[] = [];
  const followed = new Set(['a']);
  const observer = {
    unfollowed: { hits: 0 },
    follows: (id: unknown, key: string) => id === `id of ${key}` && followed.has(key),
    accessed: (id: unknown, _key: string, hit: boolean) => void seen.push(`${id} ${hit ? 'hit' : 'miss'}`),
  };
  const { cache, clock } = manualCache({
    ...{ observer, ttlMs: 100, staleMs: 100, jitter: 0 },
    keyOf: (key: string) => `id of ${key}`,
    load: async (key: string) => key,
  });
  for (const key of ['a', 'b', 'a', 'b', 'b']) await cache.get(key);
  expect(seen.splice(0)).toEqual(['id of a miss', 'id of b miss', 'id of a hit']);
  expect(observer.unfollowed.hits).toBe(2);
  await clock.advance(150);
  for (const key of ['a', 'b']) await cache.get(key);
  expect(seen.splice(0)).toEqual(['id of a hit']);
  expect(observer.unfollowed.hits).toBe(3);
  await settle();
  followed.add('b');
  await cache.get('b');
  expect(seen).toEqual([]);
  await cache.set('b', 'anew');
  await cache.get('b');
  expect(seen).toEqual(['id of b hit']);
  expect(cache.snapshot()).toMatchObject({ hits: 5, staleServed: 2, misses: 2 });
});

it('lets an observer see every access and eviction', async () => {
  const seen: string[] = [];
  const observer: AccessObserver<string> = {
    accessed: (_, key, hit) => void seen.push(`${key} ${hit ? 'hit' : 'miss'}`),
    evicted: key => void seen.push(`${key} evicted`),
    snapshot: () => ({ seen: seen.length }),
  };
  const { cache } = manualCache({ max: 1, eviction: lru, observer, load: async key => key });
  await cache.get('a');
  await cache.get('a');
  await cache.getMany(['a', 'b']);
  expect(seen).toEqual(['a miss', 'a hit', 'a hit', 'b miss', 'a evicted']);
  expect(cache.snapshot()).toMatchObject({ observer: { seen: 5 } });
  expect(() => JSON.stringify(cache.snapshot())).not.toThrow();
});

it('counts what it invalidates itself and what others do, and has types for all of a snapshot', async () => {
  const remote = memoryTier();
  const { cache } = manualCache({ remote, write: writeBehind({ write: async () => {} }) });
  const { cache: other } = manualCache({ remote });
  await cache.invalidateTags(['x', 'y']);
  await other.invalidateTags(['z']);
  await other.set('a', '1');
  expect(await cache.get('a')).toBe('1');
  const { invalidations, misses, remoteHits, write, remote: shared } = cache.snapshot();
  expect({ invalidations, misses, remoteHits }).toEqual({ invalidations: 4, misses: 1, remoteHits: 1 });
  expect(write?.pending).toBe(0);
  expect(shared?.pendingInvalidations).toBe(0);
  expect(shared?.session).toMatchObject({ tier: 'memory', connected: true, sequence: 3 });
  expect(shared?.connected).toBe(true);
});
