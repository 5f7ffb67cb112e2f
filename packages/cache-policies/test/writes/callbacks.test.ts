import { describe, expect, it } from 'vitest';
import {
  type CacheOptions,
  cacheAside,
  memoryTier,
  WriteError,
  type WriteStrategy,
  writeBehind,
  writeThrough,
} from '../../src/index.ts';
import { manualCache, settle } from '../support/caches.ts';

type Options = Partial<CacheOptions<string, string>>;

/** Options whose callback fails for the value `bad`, and for no other. */
const failing: Readonly<Record<string, Options>> = {
  'ttlMs throws': { ttlMs: (_, value) => (value === 'bad' ? fail() : 60_000) },
  'ttlMs returns NaN': { ttlMs: (_, value) => (value === 'bad' ? Number.NaN : 60_000) },
  'ttlMs returns a string': { ttlMs: (_, value) => (value === 'bad' ? ('1s' as never) : 60_000) },
  'tags throws': { tags: (_, value) => (value === 'bad' ? fail() : []) },
  'tags returns a string': { tags: (_, value) => (value === 'bad' ? ('red' as never) : []) },
  'weigh throws': { weigh: (_, value) => (value === 'bad' ? fail() : 1) },
  'weigh returns NaN': { weigh: (_, value) => (value === 'bad' ? Number.NaN : 1) },
  'weigh returns a fraction': { weigh: (_, value) => (value === 'bad' ? 0.5 : 1) },
};

function fail(): never {
  throw new Error('the callback failed');
}

type Make = (rows: Map<string, string>) => WriteStrategy<string, string>;

const strategies: Readonly<Record<string, Make | undefined>> = {
  'no strategy': undefined,
  cacheAside: rows => cacheAside({ write: async (key, value) => void rows.set(key, value!) }),
  writeThrough: rows => writeThrough({ write: async (key, value) => void rows.set(key, value!) }),
  writeBehind: rows =>
    writeBehind({
      write: async batch => {
        for (const { key, value } of batch) rows.set(key, value!);
      },
    }),
};

const cases = Object.keys(strategies).flatMap(strategy =>
  Object.keys(failing).flatMap(what => [false, true].map(shared => ({ strategy, what, shared }))),
);

describe('a callback that fails while a value is written', () => {
  it.each(cases)('$what, $strategy, shared tier: $shared', async ({ strategy, what, shared }) => {
    const rows = new Map([['a', 'old']]);
    const make = strategies[strategy];
    const remote = shared ? { remote: memoryTier() } : {};
    const options: Options = { load: async key => rows.get(key), ...failing[what], ...remote };
    const { cache } = manualCache({ ...options, ...(make && { write: make(rows) }) });
    const { cache: other } = manualCache({ ...options });
    for (const one of [cache, other]) {
      expect(await one.get('a')).toBe('old');
      await settle(); // then its lease is free
    }
    if (make === undefined) rows.set('a', 'bad'); // the source is the caller's to write
    const error: unknown = await cache.set('a', 'bad').then(
      () => undefined,
      (reason: unknown) => reason,
    );
    await cache.flush();
    // whatever the tiers were given, what the source has is what is served
    for (const one of shared ? [cache, other] : [cache]) {
      const served = await one.get('a').catch((reason: unknown) => ({ reason }));
      if (typeof served === 'string') expect(served).toBe(rows.get('a'));
      else expect(rows.get('a')).toBe('bad'); // its load fails for the same reason
      await settle();
    }
    expect(await cache.set('a', 'good')).toBeUndefined();
    if (make === undefined) rows.set('a', 'good');
    await cache.flush();
    expect(await cache.get('a')).toBe('good');
    await settle();
    expect(cache.snapshot()).toMatchObject({ loading: 0 });
    if (error === undefined) return expect(strategy).toBe('cacheAside'); // it has no use for the callback
    expect(error).toBeInstanceOf(WriteError);
    const { outcome, cause } = error as WriteError;
    const isExecuted =
      strategy === 'writeBehind' || (strategy === 'writeThrough' && what.startsWith('weigh'));
    expect(outcome).toBe(isExecuted ? 'Executed' : 'NotExecuted');
    expect(cause).toBeInstanceOf(Error);
  });
});
