import { Lease, memoryStore, type Store } from '@ashlar/store';
import { describe, expect, it } from 'vitest';
import { type PendingWrite, type WriteBehindOptions, writeBehind } from '../../src/index.ts';
import { manualCache, settle } from '../support/caches.ts';

type Options = Partial<WriteBehindOptions<string, string>>;
type Batch = readonly PendingWrite<string, string>[];

const refuse = async () => {
  throw new Error('refused');
};

function behind(options: Options = {}) {
  const written: string[] = [];
  const write = async (batch: Batch) =>
    void written.push(...batch.map(({ key, value }) => `${key}=${value}`));
  const strategy = writeBehind<string, string>({ write, ...options });
  return { ...manualCache<string, string>({ write: strategy, load: async key => `${key}!` }), written };
}

/** A journal with a pending write. */
async function leaveOne(store: Store): Promise<void> {
  const options = { write: refuse, closeTimeoutMs: 10, journal: { store, prefix: 'j:' } };
  const { cache, clock } = behind(options);
  await cache.set('a', '1');
  const closing = expect(cache.close()).rejects.toMatchObject({ journaled: true });
  await clock.advance(10);
  await closing;
}

/** They are looked at later. */
function handled(calls: readonly Promise<unknown>[]): void {
  for (const call of calls) call.catch(() => {});
}

/** What the calls have settled to by now. */
async function codesOf(calls: readonly Promise<unknown>[]): Promise<readonly unknown[]> {
  handled(calls);
  await settle();
  const pending = Promise.resolve('pending');
  return Promise.all(
    calls.map(call => Promise.race([call, pending]).catch((error: { code: string }) => error.code)),
  );
}

describe('a cache that writes behind, at its close', () => {
  it('lets no call wait for what the source refuses', async () => {
    const { cache, clock } = behind({ write: refuse, closeTimeoutMs: 100 });
    await cache.delete('a');
    const calls = [cache.flush(), cache.get('a', async () => 'own'), cache.getMany(['b'])];
    handled(calls);
    const closing = cache.close();
    closing.catch(() => {});
    expect(await codesOf([calls[1]!])).toEqual(['ASHLAR_CACHE_POLICIES_CLOSED']);
    await clock.advance(100);
    const unwritten = 'ASHLAR_CACHE_POLICIES_UNWRITTEN';
    expect(await codesOf([closing, calls[0]!, cache.flush()])).toEqual([unwritten, unwritten, unwritten]);
    await expect(cache.get('a', async () => 'own')).rejects.toMatchObject({
      code: 'ASHLAR_CACHE_POLICIES_CLOSED',
    });
    expect(clock.sleeping).toBe(0);
  });

  it('lets no read and no write wait for a journal that another has', async () => {
    const store = memoryStore();
    await Lease.acquire(store, 'j:', { ttlMs: 60_000 });
    const { cache } = behind({ journal: { store, prefix: 'j:' } });
    const calls = [cache.get('a'), cache.getMany(['a']), cache.set('a', '1'), cache.flush()];
    handled(calls);
    await settle();
    const closing = cache.close();
    const closed = 'ASHLAR_CACHE_POLICIES_CLOSED';
    expect(await codesOf(calls.slice(0, 2))).toEqual([closed, closed]);
    await closing;
    expect(await codesOf(calls)).toEqual([closed, closed, closed, closed]);
  });

  it.each(['list', 'get', 'set'] as const)('nor for one that is being taken: `%s`', async method => {
    const store = memoryStore();
    await leaveOne(store);
    // the store does not answer until the cache is closed
    let answer = () => {};
    const asked = new Promise<void>(resolve => (answer = resolve));
    const slow = new Proxy(store, {
      get(target, name) {
        const value = Reflect.get(target, name, target) as unknown;
        if (typeof value !== 'function') return value;
        if (name !== method) return value.bind(target);
        if (name !== 'list') return async (...args: unknown[]) => asked.then(() => value.apply(target, args));
        return async function* (...args: unknown[]) {
          await asked;
          yield* value.apply(target, args) as AsyncIterable<unknown>;
        };
      },
    });
    const { cache, clock } = behind({ journal: { store: slow, prefix: 'j:' }, closeTimeoutMs: 100 });
    const calls = [cache.get('a'), cache.set('b', '1'), cache.flush()];
    handled(calls);
    await settle();
    const closing = cache.close();
    expect(await codesOf(calls.slice(0, 1))).toEqual(['ASHLAR_CACHE_POLICIES_CLOSED']);
    await clock.advance(100);
    await closing;
    answer();
    const closed = 'ASHLAR_CACHE_POLICIES_CLOSED';
    expect(await codesOf(calls)).toEqual([closed, closed, closed]);
    // it has given the journal back
    const { cache: after, written } = behind({ journal: { store, prefix: 'j:' } });
    expect(await after.get('a')).toBe('1');
    await after.flush();
    expect(written).toEqual(['a=1']);
  });
});

it('`flush` at a start writes what an earlier process has left in the journal', async () => {
  const store = memoryStore();
  const journal = { store, prefix: 'j:' };
  await leaveOne(store);
  const { cache, written } = behind({ journal });
  await cache.flush();
  expect(written).toEqual(['a=1']);
});

it('`flush` rejects while another process has the journal', async () => {
  const store = memoryStore();
  await Lease.acquire(store, 'j:', { ttlMs: 60_000 });
  const { cache } = behind({ journal: { store, prefix: 'j:', waitMs: 0 } });
  await expect(cache.flush()).rejects.toMatchObject({ code: 'ASHLAR_CACHE_POLICIES_JOURNAL_TAKEN' });
});
