import { describe, expect, it } from 'vitest';
import { type CacheOptions, cacheAside, memoryTier, writeBehind, writeThrough } from '../../src/index.ts';
import { deferred, manualCache, settle } from '../support/caches.ts';

/** A source whose first write is settled by hand. */
function stuckSource() {
  const first = deferred<void>();
  const written: string[] = [];
  const signals: AbortSignal[] = [];
  const write = async (_key: string, value: string | undefined, { signal }: { signal: AbortSignal }) => {
    signals.push(signal);
    if (signals.length === 1) await first.promise;
    written.push(String(value));
  };
  return { first, written, signals, write };
}

const strategies = { writeThrough, cacheAside };
const shared: readonly Partial<CacheOptions<string, string>>[] = [{}, { remote: memoryTier() }];
const cases = Object.entries(strategies).flatMap(([name, strategy]) =>
  shared.map(options => ({ name, strategy, options })),
);

describe('a write that does not settle', () => {
  it.each(cases)('lets later ones of the key heed their signals: $name', async ({ strategy, options }) => {
    const { first, written, signals, write } = stuckSource();
    const { cache } = manualCache<string, string>({ ...options, write: strategy({ write }) });
    const gone = new AbortController();
    const one = cache.set('a', '1', gone);
    const two = cache.set('a', '2', gone);
    const three = cache.set('a', '3');
    const four = cache.delete('a', gone);
    await settle();
    gone.abort(new Error('gone'));
    await expect(two).rejects.toThrow('gone');
    await expect(four).rejects.toThrow('gone');
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    await settle();
    // none overtakes the one that is under way
    expect(written).toEqual([]);
    first.resolve();
    await Promise.all([one, three]);
    expect(written).toEqual(['1', '3']);
    expect(cache.snapshot()).toMatchObject({ writing: 0, writes: 4, writeFailures: 2 });
  });

  it('without a strategy too: the shared tier does not answer', async () => {
    const tier = memoryTier();
    const first = deferred<void>();
    const remote = {
      ...{ name: 'slow', get: (key: string) => tier.get(key) },
      open(listener: Parameters<typeof tier.open>[0]) {
        const session = tier.open(listener);
        const write = session.write.bind(session);
        session.write = async entries => {
          await first.promise;
          return write(entries);
        };
        return session;
      },
    };
    const { cache } = manualCache<string, string>({ remote });
    const gone = new AbortController();
    const one = cache.set('a', '1');
    const two = cache.set('a', '2', gone);
    gone.abort(new Error('gone'));
    await expect(two).rejects.toThrow('gone');
    first.resolve();
    await one;
    expect(await cache.get('a')).toBe('1');
  });

  it.each(cases)('is given up by `close` after `closeTimeoutMs`: $name', async ({ strategy, options }) => {
    const { signals, write } = stuckSource();
    const { cache, clock } = manualCache<string, string>({
      ...options,
      ...{ write: strategy({ write }), closeTimeoutMs: 500 },
    });
    const results = Promise.allSettled([cache.set('a', '1'), cache.set('a', '2')]);
    await settle();
    let isClosed = false;
    const closing = cache.close().then(() => {
      isClosed = true;
    });
    await clock.advance(499);
    expect([isClosed, signals[0]!.aborted]).toEqual([false, false]);
    await clock.advance(1);
    await closing;
    const [one, two] = (await results) as PromiseRejectedResult[];
    expect(one!.reason).toMatchObject({ code: 'ASHLAR_CACHE_POLICIES_WRITE', outcome: 'Unknown' });
    expect(two!.reason).toMatchObject({ code: 'ASHLAR_CACHE_POLICIES_CLOSED' });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    expect(clock.sleeping).toBe(0);
    expect(cache.snapshot()).toMatchObject({ writing: 0 });
  });

  it('of a batch written behind: `close` ends, and says what is unwritten', async () => {
    const write = writeBehind<string, string>({
      write: () => new Promise(() => {}),
      closeTimeoutMs: 500,
    });
    const { cache, clock } = manualCache<string, string>({ write });
    await cache.set('a', '1');
    const closing = expect(cache.close()).rejects.toMatchObject({ unwritten: [{ key: 'a', value: '1' }] });
    await clock.advance(500);
    await closing;
  });

  it('as its value cannot be encoded in time: `close` ends', async () => {
    const serializer = { encode: () => new Promise<never>(() => {}), decode: () => 'x' };
    const options = { remote: memoryTier(), serializer, closeTimeoutMs: 500 };
    const { cache, clock } = manualCache<string, string>({ ...options, load: async () => 'x' });
    expect(await cache.get('b')).toBe('x');
    const set = cache.set('a', '1');
    set.catch(() => {});
    const closing = cache.close();
    await clock.advance(500);
    await closing;
  });
});
