import { ManualClock } from '@ashlar/core/testing';
import Keyv from 'keyv';
import { describe, expect, it } from 'vitest';
import { keyvStore } from '../../src/adapters/keyv.ts';
import { memoryTier } from '../../src/index.ts';
import { manualCache } from '../support/caches.ts';
import { InvalidOptionErrorOf } from '../support/faces.ts';

describe('keyvStore', () => {
  it.each(['alone', 'over a shared tier'])('is a store for Keyv, %s', async where => {
    const clock = new ManualClock();
    const remote = where === 'alone' ? {} : { remote: memoryTier({ clock }) };
    const { cache } = manualCache<string, string>({ clock, ...remote });
    const keyv = new Keyv({ store: keyvStore(cache), namespace: 'app' });
    expect(await keyv.set('a', { n: 1 })).toBe(true);
    expect(await keyv.get('a')).toEqual({ n: 1 });
    expect([await keyv.has('a'), await keyv.has('b')]).toEqual([true, false]);
    expect(await keyv.get(['a', 'b'])).toEqual([{ n: 1 }, undefined]);
    expect([await keyv.delete('a'), await keyv.delete('a')]).toEqual([true, false]);
    expect(await keyv.get('a')).toBeUndefined();
    await keyv.set('brief', 1, 60_000);
    await clock.advance(60_000);
    expect(await keyv.get('brief')).toBeUndefined();
    await keyv.set('c', 1);
    await keyv.clear();
    expect(await keyv.get('c')).toBeUndefined();
    await keyv.disconnect();
    expect(cache.snapshot().closed).toBe(true);
  });

  it('keeps nothing of a key that is set with a time that is over', async () => {
    const { cache } = manualCache<string, string>();
    const keyv = new Keyv({ store: keyvStore(cache) });
    await keyv.set('a', 'old');
    expect(await keyv.set('a', 'new', -1)).toBe(true);
    expect(await keyv.get('a')).toBeUndefined();
  });

  it('has no iterator, for Keyv takes one only from stores that it knows by name', () => {
    const { cache } = manualCache<string, string>();
    expect(keyvStore(cache)).not.toHaveProperty('iterator');
    expect(new Keyv({ store: keyvStore(cache) }).iterator).toBeUndefined();
  });

  it('deletes without a load', async () => {
    const loaded: string[] = [];
    const { cache } = manualCache<string, string>({ load: async key => void loaded.push(key) as undefined });
    const store = keyvStore(cache);
    await cache.set('a', '1');
    expect([await store.delete('a'), await store.delete('a'), await store.delete('b')]).toEqual([
      true,
      false,
      false,
    ]);
    expect(loaded).toEqual([]);
  });

  it.each([undefined, null, 'cache', { max: 5 }, new Map()])('needs a cache, not %o', cache => {
    expect(() => keyvStore(cache as never)).toThrow(InvalidOptionErrorOf('write `keyvStore(new Cache('));
  });
});
