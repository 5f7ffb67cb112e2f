import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it } from 'vitest';
import { memoryTier } from '../../src/index.ts';
import { ManualSource, manualCache, settle } from '../support/caches.ts';

/** What a promise has settled to by now. */
async function settled<T>(promise: Promise<T>): Promise<T | 'pending'> {
  await settle();
  return Promise.race([promise, Promise.resolve('pending' as const)]);
}

describe('a stale value is served no longer than its bound', () => {
  it('while a slow load goes on: `staleIfErrorMs`', async () => {
    const source = new ManualSource<string, string>();
    const options = { ttlMs: 50, staleIfErrorMs: 200, softTimeoutMs: 30 };
    const { cache, clock } = manualCache({ ...options, load: source.load });
    await cache.set('a', 'old');
    await clock.advance(60);
    const slow = cache.get('a');
    await settle();
    await clock.advance(30);
    expect(await slow).toBe('old');
    await clock.advance(159);
    expect(await settled(cache.get('a'))).toBe('old');
    await clock.advance(1);
    const late = [cache.get('a'), cache.get('a')];
    expect(await settled(late[0]!)).toBe('pending');
    expect(source.calls.length).toBe(1);
    source.resolve(0, 'new');
    expect(await Promise.all(late)).toEqual(['new', 'new']);
    expect(await cache.get('a')).toBe('new');
  });

  it('and a caller after it gets the error of the load', async () => {
    const source = new ManualSource<string, string>();
    const options = { ttlMs: 50, staleIfErrorMs: 200, softTimeoutMs: 30 };
    const { cache, clock } = manualCache({ ...options, load: source.load });
    await cache.set('a', 'old');
    await clock.advance(60);
    const slow = cache.get('a');
    await settle();
    await clock.advance(30);
    expect(await slow).toBe('old');
    await clock.advance(200);
    const late = cache.get('a');
    await settle();
    source.calls[0]!.answer.reject(new Error('down'));
    await expect(late).rejects.toMatchObject({ code: 'ASHLAR_CACHE_POLICIES_LOAD' });
  });

  it('and the load is aborted when the last caller after it aborts', async () => {
    const source = new ManualSource<string, string>();
    const options = { ttlMs: 50, staleIfErrorMs: 200, softTimeoutMs: 30 };
    const { cache, clock } = manualCache({ ...options, load: source.load });
    await cache.set('a', 'old');
    await clock.advance(60);
    const slow = cache.get('a');
    await settle();
    await clock.advance(30);
    await slow;
    await clock.advance(200);
    const caller = new AbortController();
    const late = cache.get('a', { signal: caller.signal });
    await settle();
    caller.abort(new Error('gone'));
    await expect(late).rejects.toThrow('gone');
    expect(source.calls[0]!.signal.aborted).toBe(true);
  });

  it('from a shared tier: `staleMs`', async () => {
    const clock = new ManualClock();
    const remote = memoryTier({ clock });
    const source = new ManualSource<string, string>();
    const options = { ttlMs: 50, staleMs: 200, remote, clock };
    const writer = manualCache({ ...options }).cache;
    const { cache } = manualCache({ ...options, load: source.load });
    await writer.set('a', 'old');
    await clock.advance(100);
    expect(await cache.get('a')).toBe('old');
    await settle();
    expect(source.calls.length).toBe(1);
    await clock.advance(150);
    const late = cache.get('a');
    expect(await settled(late)).toBe('pending');
    source.resolve(0, 'new');
    expect(await late).toBe('new');
  });

  it.each([
    ['staleMs', { staleMs: 5_000 }],
    ['staleIfErrorMs', { staleIfErrorMs: 5_000, softTimeoutMs: 10 }],
  ])('from this process: `localTtlMs`, also with `%s`', async (_, stale) => {
    const clock = new ManualClock();
    const remote = memoryTier({ clock });
    const load = async () => 'loaded';
    const { cache } = manualCache({ ttlMs: 60_000, localTtlMs: 100, ...stale, remote, clock, load });
    await cache.get('a');
    await clock.advance(99);
    expect(cache.peek('a')).toBe('loaded');
    await clock.advance(1);
    expect(cache.peek('a')).toBe(undefined);
    expect(await cache.get('a')).toBe('loaded');
    expect(cache.snapshot()).toMatchObject({ loads: 1, remoteHits: 1, staleServed: 0 });
  });
});
