import { InvalidOptionError } from '@ashlar/core';
import { describe, expect, it, vi } from 'vitest';
import { memoryTier } from '../src/index.ts';
import * as everyPolicy from '../src/policies/all.ts';
import { evictionNames } from '../src/slots/bound.ts';
import { manualCache } from './support/caches.ts';
import { Cache, InvalidOptionErrorOf } from './support/faces.ts';

describe('options', () => {
  it.each([
    [{ max: 0 }, '`max` must be an integer of at least 1, got 0 (number)'],
    [{ ttl: 5 }, 'Cache has no option `ttl`'],
    [{ ttlMs: 0 }, '`ttlMs` must be a number of milliseconds above 0, or Infinity'],
    [{ ttlMs: '5' }, '`ttlMs` must be a number of milliseconds or a function that returns it, got "5"'],
    [{ jitter: 2 }, '`jitter` must be a number of at least 0 and at most 1'],
    [{ load: 5 }, '`load` must be a function, got 5 (number)'],
    [{ max: undefined }, '`max` is required'],
    [
      { eviction: 'lru' },
      '`eviction` must be a function, got "lru"; write `eviction: lru`, imported from \'@ashlar/cache-policies\'',
    ],
    [{ eviction: 'LRU' }, 'write `eviction: lru`, imported'],
    [{ eviction: 'tiny-lfu' }, 'write `eviction: wTinyLfu`, imported'],
    [{ eviction: 'two-queue' }, 'write `eviction: twoQueue`, imported'],
    [{ eviction: 'allkeys-random' }, 'write `eviction: lru`, imported'],
    [
      { onDisconnect: 5, remote: memoryTier() },
      "`onDisconnect` must be 'bypass' or { serveMs }, got 5 (number)",
    ],
    [{ onDisconnect: { serve: 5 }, remote: memoryTier() }, '`onDisconnect` has no option `serve`'],
    [
      { serializer: { encode() {} }, remote: memoryTier() },
      '`serializer` must be an object with encode(), decode()',
    ],
    [{ name: 5 }, '`name` must be a string'],
    [{ leaseMs: 5 }, '`leaseMs` needs a `remote` tier'],
    [{ onDisconnect: 'bypass' }, '`onDisconnect` needs a `remote` tier'],
    [{ refreshAhead: { early: 1 } }, '`refreshAhead` has no option `early`'],
    [{ refreshAhead: true }, '`refreshAhead` takes an object of options, got true (boolean)'],
    [
      { remote: {} },
      '`remote` must be an object with open(), got an empty object; write `remote: redisTier(',
    ],
    [
      { write: async () => {} },
      '`write` must be an object with open(), got a function; write `write: writeThrough(',
    ],
    [{ clock: { now: () => 0 } }, '`clock` must be an object with now(), sleep()'],
    [{ observer: null }, '`observer` must be an object with accessed(), got null'],
    [{ staleMs: -1 }, '`staleMs` must be a number of milliseconds of at least 0'],
  ])('are checked: %j', (options, message) => {
    expect(() => new Cache({ max: 1, ...(options as object) })).toThrow(InvalidOptionErrorOf(message));
  });

  it('are needed', () => {
    expect(() => new Cache(undefined as never)).toThrow(
      InvalidOptionErrorOf('Cache takes an object of options, got undefined'),
    );
  });
});

describe('what a call is given', () => {
  it.each([
    [{ ttl: 5 }, 'has no option `ttl`'],
    [5_000, 'takes an object of options, got 5000 (number)'],
    [null, 'takes an object of options, got null'],
    [
      { ttlMs: Number.NaN },
      '`ttlMs` must be a number of milliseconds of at least 0, or Infinity, got NaN (number)',
    ],
    [{ ttlMs: -1 }, '`ttlMs` must be a number of milliseconds of at least 0, or Infinity, got -1 (number)'],
    [{ tags: 'red' }, '`tags` must be an array of strings, got "red"'],
    [{ tags: [1] }, '`tags` must be an array of strings, got an array'],
    [{ signal: {} }, '`signal` must be an AbortSignal, got an empty object'],
  ])('is checked: %j', async (options, message) => {
    const load = vi.fn(async () => 'loaded');
    const { cache } = manualCache({ load });
    const given = options as never;
    const error = InvalidOptionErrorOf(message);
    await expect(cache.get('a', given)).rejects.toThrow(error);
    await expect(cache.get('a', load, given)).rejects.toThrow(error);
    await expect(cache.set('a', '1', given)).rejects.toThrow(error);
    expect(load).not.toHaveBeenCalled();
    expect(cache.snapshot()).toMatchObject({ size: 0, loading: 0 });
  });

  it.each([{ ttlMs: 5 }, { tags: [] }, 5])(
    '`delete` and `getMany` take a signal alone: %j',
    async options => {
      const { cache } = manualCache();
      for (const call of [cache.delete('a', options as never), cache.getMany(['a'], options as never)]) {
        await expect(call).rejects.toThrow(expect.objectContaining({ code: InvalidOptionError.code }));
      }
    },
  );

  it('may be said to be nothing', async () => {
    const { cache } = manualCache({ load: async () => 'loaded' });
    const nothing = { signal: undefined, ttlMs: undefined, tags: undefined } as never;
    expect(await cache.get('a', nothing)).toBe('loaded');
    await cache.set('a', '1', nothing);
    expect(cache.peek('a')).toBe('1');
  });

  it('is no string where tags are many', async () => {
    const { cache } = manualCache({ load: async () => 'loaded', tags: () => 'red' as never });
    const error = InvalidOptionErrorOf('`tags` must be an array of strings, got "red"');
    await expect(cache.invalidateTags('red' as never)).rejects.toThrow(error);
    await expect(cache.get('a')).rejects.toThrow('`tags` must be an array of strings, got "red"');
    await expect(cache.set('a', '1')).rejects.toThrow('`tags` must be an array of strings, got "red"');
  });

  it('is a list where keys are many', async () => {
    const { cache } = manualCache();
    const error = InvalidOptionErrorOf('`keys` must be an array, got "ab"');
    await expect(cache.getMany('ab' as never)).rejects.toThrow(error);
  });

  it('is a value, not `undefined`', async () => {
    const { cache } = manualCache<string, string | undefined>();
    await expect(cache.set('a', undefined)).rejects.toThrow('the value of "a" must not be undefined');
  });
});

it('names every eviction policy of the package where one is written as a text', () => {
  expect([...evictionNames].sort()).toEqual(Object.keys(everyPolicy).sort());
});
