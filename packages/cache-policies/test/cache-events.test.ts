import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect, it, onTestFinished } from 'vitest';
import { type AccessObserver, cacheAside, lru, memoryTier } from '../src/index.ts';
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
