import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type CacheOptions, jsonSerializer, memoryTier } from '../../src/index.ts';
import { manualCache, settle } from '../support/caches.ts';

const bad = () => {
  throw new Error('bad callback');
};

/** Rejections that no caller handles end a process. */
function unhandled(): unknown[] {
  const reasons: unknown[] = [];
  const listener = (reason: unknown) => reasons.push(reason);
  process.on('unhandledRejection', listener);
  onTestFinished(() => void process.off('unhandledRejection', listener));
  return reasons;
}

function shared(): { readonly clock: ManualClock; readonly remote: ReturnType<typeof memoryTier> } {
  const clock = new ManualClock();
  return { clock, remote: memoryTier({ clock }) };
}

const nonsense: readonly (readonly [string, Partial<CacheOptions<string, object>>])[] = [
  ['weigh', { weigh: bad }],
  ['weigh', { weigh: () => Number.NaN }],
  ['weigh', { weigh: () => 0.5 }],
  ['ttlMs', { ttlMs: bad }],
  ['ttlMs', { ttlMs: () => -1 }],
  ['ttlMs', { ttlMs: () => '5' as never }],
  ['tags', { tags: bad }],
  ['tags', { tags: () => [5] as never }],
  ['tags', { tags: () => 'red' as never }],
  ['keyOf', { keyOf: bad }],
  ['keyOf', { keyOf: () => 5 as never }],
  ['loadMany', { loadMany: async () => ['ab'] as never, load: undefined as never }],
  ['loadMany', { loadMany: async () => undefined as never, load: undefined as never }],
  ['observer', { observer: { accessed: bad } }],
  ['observer', { observer: { accessed() {}, follows: bad } }],
];

describe.each([
  ['in one process', () => ({})],
  ['over a shared tier', shared],
])('a callback that throws or returns nonsense, %s', (_, tiers) => {
  it.each(nonsense)('`%s`: the call rejects, and holds nothing: %o', async (_name, options) => {
    const reasons = unhandled();
    const own = tiers() as Partial<ReturnType<typeof shared>>;
    const { cache, clock } = manualCache<string, object>({
      load: async key => ({ key }),
      ...options,
      ...own,
    });
    const calls = [cache.get('a'), cache.getMany(['b', 'c'])];
    for (const call of calls) call.catch(() => {});
    for (let i = 0; i < 5; i++) {
      await settle();
      await clock.advance(1);
    }
    for (const call of calls) await expect(call).rejects.toThrow();
    await settle();
    expect(cache.snapshot()).toMatchObject({ loading: 0, size: 0 });
    expect(own.remote?.snapshot().leases ?? 0).toBe(0);
    expect(reasons).toEqual([]);
  });

  it('`weigh` over a stale value that a caller has changed: it is served while the load fails', async () => {
    const reasons = unhandled();
    let isDown = false;
    const load = async () => {
      if (isDown) throw new Error('down');
      return { size: 1 };
    };
    const weigh = (_key: string, value: { size: number }) => value.size;
    const options = { ttlMs: 50, staleIfErrorMs: 10_000, load, weigh };
    const { cache, clock } = manualCache<string, { size: number }>({ ...options, ...tiers() });
    const value = (await cache.get('a'))!;
    await settle();
    value.size = Number.NaN;
    isDown = true;
    await clock.advance(60);
    expect(await cache.get('a')).toHaveProperty('size');
    await settle();
    await settle();
    expect(reasons).toEqual([]);
  });
});

describe('a serializer that throws or returns nonsense', () => {
  const json = jsonSerializer<string>();

  it('`decode` that returns nothing: the value is loaded again', async () => {
    const { clock, remote } = shared();
    const load = async () => 'loaded';
    await manualCache({ clock, remote, load }).cache.get('a');
    await settle();
    const serializer = { ...json, decode: () => undefined as never };
    const { cache } = manualCache({ clock, remote, load, serializer });
    expect(await cache.get('a')).toBe('loaded');
  });

  it.each([
    ['throws', bad],
    ['returns a string', () => 'text' as never],
    ['returns nothing', () => undefined as never],
  ])('`encode` that %s: the value is served, the lease released, the failure counted', async (_, encode) => {
    const { clock, remote } = shared();
    let loads = 0;
    const load = async () => `loaded ${++loads}`;
    const { cache } = manualCache({ clock, remote, load, serializer: { ...json, encode } });
    expect(await cache.get('a')).toBe('loaded 1');
    await settle();
    expect(remote.snapshot()).toMatchObject({ leases: 0, size: 0 });
    expect(cache.snapshot()).toMatchObject({ remote: { failures: 1 } });
    expect(await cache.get('a')).toBe('loaded 1');
    await expect(cache.set('a', 'new')).rejects.toMatchObject({
      cause: { code: 'ASHLAR_CACHE_POLICIES_SERIALIZE' },
    });
  });
});
