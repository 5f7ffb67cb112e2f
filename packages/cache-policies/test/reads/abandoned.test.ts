import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it } from 'vitest';
import { type CacheOptions, memoryTier } from '../../src/index.ts';
import { manualCache, settle } from '../support/caches.ts';

const never = () => new Promise<never>(() => {});

/** Two caches over one tier, as of two processes: the loads of the first never end. */
function pair(options: Partial<CacheOptions<string, string>>) {
  const clock = new ManualClock();
  const remote = memoryTier({ clock });
  const { cache: deaf } = manualCache({ clock, remote, ...options });
  const { cache: other } = manualCache({ clock, remote, load: async key => `${key}!` });
  return { deaf, other, remote, clock };
}

describe.each([
  ['load', { load: never }],
  ['loadMany', { loadMany: never }],
])('a `%s` that does not heed its signal', (_, source) => {
  it('gives its leases back when the only caller aborts, and counts as failed', async () => {
    const { deaf, other, remote, clock } = pair({ ...source, timeoutMs: 60_000 });
    const gone = new AbortController();
    const calls = [deaf.get('a', gone), deaf.getMany(['b', 'c'], gone)];
    await settle();
    expect(remote.snapshot()).toMatchObject({ leases: 3 });
    gone.abort(new Error('gone'));
    for (const call of calls) await expect(call).rejects.toThrow('gone');
    await settle();
    expect(remote.snapshot()).toMatchObject({ leases: 0 });
    expect(deaf.snapshot()).toMatchObject({ loading: 0, loads: 3, loadFailures: 3 });
    expect(clock.sleeping).toBe(0);
    expect([...(await other.getMany(['a', 'b', 'c'])).values()]).toEqual(['a!', 'b!', 'c!']);
    expect(await deaf.get('a')).toBe('a!');
  });

  it('gives its leases back at `timeoutMs`', async () => {
    const { deaf, other, remote, clock } = pair({ ...source, timeoutMs: 100 });
    const call = deaf.getMany(['b', 'c']);
    call.catch(() => {});
    await clock.advance(100);
    await expect(call).rejects.toMatchObject({ code: 'ASHLAR_CACHE_POLICIES_LOAD_TIMEOUT' });
    await settle();
    expect(remote.snapshot()).toMatchObject({ leases: 0 });
    expect(deaf.snapshot()).toMatchObject({ loading: 0, loads: 2, loadFailures: 2 });
    expect(await other.get('b')).toBe('b!');
  });

  it('gives its leases back when the cache is closed', async () => {
    const { deaf, other, remote } = pair(source);
    const call = deaf.getMany(['b', 'c']);
    await settle();
    await Promise.all([expect(call).rejects.toThrow('closed'), deaf.close()]);
    expect(remote.snapshot()).toMatchObject({ leases: 0 });
    expect(await other.get('b')).toBe('b!');
  });
});

it('of many keys that are loaded together, those that nobody waits for give their leases back', async () => {
  const { deaf, other, remote } = pair({ loadMany: never });
  const gone = new AbortController();
  const many = deaf.getMany(['a', 'b', 'c'], gone);
  const one = deaf.get('b');
  one.catch(() => {});
  await settle();
  gone.abort(new Error('gone'));
  await expect(many).rejects.toThrow('gone');
  await settle();
  expect(remote.snapshot()).toMatchObject({ leases: 1 });
  expect(await other.get('a')).toBe('a!');
});

it('of many keys that are loaded together, one whose value is refused fails no other', async () => {
  const loadMany = async (keys: readonly string[]) => keys.map(key => [key, key] as const);
  const tags = (key: string) => {
    if (key === 'b') throw new Error('bad tag');
    return [];
  };
  const { deaf, remote } = pair({ loadMany, tags });
  const calls = [deaf.getMany(['a', 'b', 'c']), deaf.get('c')];
  await expect(calls[0]).rejects.toThrow('bad tag');
  expect(await calls[1]).toBe('c');
  await settle();
  expect(remote.snapshot()).toMatchObject({ leases: 0, size: 2 });
});

it('a stale value is refreshed by the next caller after one that has aborted', async () => {
  let loads = 0;
  const load = () => (++loads === 1 ? never() : Promise.resolve('new'));
  const { cache, clock } = manualCache<string, string>({ load, ttlMs: 100, staleIfErrorMs: 1_000 });
  await cache.set('a', 'old');
  await clock.advance(100);
  const gone = new AbortController();
  const call = cache.get('a', gone);
  await settle();
  gone.abort(new Error('gone'));
  await expect(call).rejects.toThrow('gone');
  expect(await cache.get('a')).toBe('new');
});
