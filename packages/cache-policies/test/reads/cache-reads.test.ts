import { describe, expect, it, vi } from 'vitest';
import { deferred, ManualSource, manualCache, settle } from '../support/caches.ts';
import { CacheClosedError, LoadError, LoadTimeoutError } from '../support/faces.ts';

describe('get', () => {
  it('loads once, then answers from memory until the time is over', async () => {
    const load = vi.fn(async (key: string) => `${key}!`);
    const { cache, clock } = manualCache({ load, ttlMs: 1_000 });
    expect(await cache.get('a')).toBe('a!');
    await clock.advance(999);
    expect(await cache.get('a')).toBe('a!');
    expect(load).toHaveBeenCalledTimes(1);
    await clock.advance(1);
    expect(await cache.get('a')).toBe('a!');
    expect(load).toHaveBeenCalledTimes(2);
    expect(cache.snapshot()).toMatchObject({ hits: 1, misses: 2, loads: 2, size: 1 });
  });

  it('asks once for all who wait, and each key on its own', async () => {
    const source = new ManualSource<string, string>();
    const { cache } = manualCache({ load: source.load });
    const waiting = [cache.get('a'), cache.get('a'), cache.get('b'), cache.get('a')];
    await settle();
    expect(source.keys).toEqual(['a', 'b']);
    source.resolve(0, '1');
    source.resolve(1, '2');
    expect(await Promise.all(waiting)).toEqual(['1', '1', '2', '1']);
  });

  it('takes a load of its own, and joins the one under way', async () => {
    const { cache } = manualCache<string, number>();
    const slow = deferred<number>();
    const first = cache.get('a', () => slow.promise);
    const second = cache.get('a', async () => 2);
    slow.resolve(1);
    expect(await Promise.all([first, second])).toEqual([1, 1]);
    const sure: number = await cache.get('a', async () => 3);
    expect(sure).toBe(1);
    expect(await cache.get('none')).toBeUndefined();
  });

  it('takes the time and the tags of the call', async () => {
    const { cache, clock } = manualCache({ ttlMs: 1_000 });
    await cache.get('a', async () => '1', { ttlMs: 10, tags: ['x'] });
    await cache.get('b', async () => '1', { tags: ['x'] });
    await clock.advance(10);
    expect([cache.peek('a'), cache.peek('b')]).toEqual([undefined, '1']);
    await cache.invalidateTags(['x']);
    expect(cache.peek('b')).toBeUndefined();
    await cache.get('c', async () => '1', { ttlMs: 0 });
    expect(cache.peek('c')).toBeUndefined();
  });

  it('takes the time from a function of the value', async () => {
    const { cache, clock } = manualCache<string, number>({ ttlMs: (_, value) => value });
    await cache.set('short', 10);
    await cache.set('long', 20);
    await clock.advance(10);
    expect([cache.peek('short'), cache.peek('long')]).toEqual([undefined, 20]);
  });

  it('shortens times by up to the jitter', async () => {
    let draw = 0;
    const { cache, clock } = manualCache({ ttlMs: 1_000, jitter: 0.2, random: () => draw });
    await cache.set('full', '1');
    draw = 0.999_999;
    await cache.set('short', '1');
    await clock.advance(801);
    expect([cache.peek('full'), cache.peek('short')]).toEqual(['1', undefined]);
    await clock.advance(199);
    expect(cache.peek('full')).toBeUndefined();
  });

  it('keeps a value that is false, null or empty', async () => {
    const { cache } = manualCache<string, unknown>();
    for (const value of [false, null, 0, '', Number.NaN]) {
      const load = vi.fn(async () => value);
      await cache.get(`key-${String(value)}`, load);
      expect(await cache.get(`key-${String(value)}`, load)).toBe(value);
      expect(load).toHaveBeenCalledOnce();
    }
  });

  it('asks again for what the source does not have, unless told to remember that', async () => {
    const load = vi.fn(async (): Promise<string | undefined> => undefined);
    const { cache } = manualCache({ load });
    await cache.get('a');
    await cache.get('a');
    expect(load).toHaveBeenCalledTimes(2);
    const { cache: sure, clock } = manualCache({ load, negativeTtlMs: 100 });
    for (let i = 0; i < 3; i++) expect(await sure.get('a')).toBeUndefined();
    expect(load).toHaveBeenCalledTimes(3);
    await clock.advance(100);
    await sure.get('a');
    expect(load).toHaveBeenCalledTimes(4);
    await sure.set('a', 'there');
    expect(await sure.get('a')).toBe('there');
  });

  it('goes by `keyOf` where keys are objects', async () => {
    const { cache } = manualCache<{ id: number }, string>({ keyOf: ({ id }) => `${id}` });
    await cache.set({ id: 1 }, 'one');
    expect(await cache.get({ id: 1 })).toBe('one');
    expect([...(await cache.getMany([{ id: 1 }, { id: 2 }])).values()]).toEqual(['one']);
  });

  it('wraps what a load throws, tells it to all who wait, and does not remember it', async () => {
    const cause = new Error('no database');
    const { cache } = manualCache({ name: 'products' });
    const failing = vi.fn(() => {
      throw cause;
    });
    const [a, b] = await Promise.allSettled([cache.get('a', failing), cache.get('a', failing)]);
    expect(failing).toHaveBeenCalledOnce();
    expect(a).toEqual(b);
    const error = (a as PromiseRejectedResult).reason as LoadError;
    expect(error).toBeInstanceOf(LoadError);
    expect(error).toMatchObject({ code: 'ASHLAR_CACHE_POLICIES_LOAD', key: 'a', cause });
    expect(error.message).toBe('products could not load "a": no database');
    expect(await cache.get('a', async () => 'back')).toBe('back');
  });

  it('does not keep what cannot be weighed, and says so', async () => {
    const { cache } = manualCache<string, string>({ weigh: (_, value) => (value === 'bad' ? 0 : 1) });
    await cache.set('a', 'good');
    await expect(cache.get('b', async () => 'bad')).rejects.toThrow(LoadError);
    await expect(cache.set('a', 'bad')).rejects.toThrow('`weigh` must return an integer of at least 1');
    expect(cache.peek('a')).toBeUndefined();
  });

  it('is bounded by its policy', async () => {
    const { cache } = manualCache({ max: 3 });
    for (const key of 'abcdefg') await cache.set(key, key);
    expect(cache.snapshot()).toMatchObject({ size: 3, evictions: 4 });
    cache.resize(1);
    expect(cache.snapshot()).toMatchObject({ size: 1, evictions: 6 });
  });
});

describe('peek', () => {
  it('sees what get would answer at once, and counts nothing', async () => {
    const { cache, clock } = manualCache({ ttlMs: 100, staleMs: 50, staleIfErrorMs: 500 });
    await cache.set('a', '1');
    expect(cache.peek('a')).toBe('1');
    await clock.advance(149);
    expect(cache.peek('a')).toBe('1');
    await clock.advance(1);
    expect(cache.peek('a')).toBeUndefined();
    expect(cache.snapshot()).toMatchObject({ hits: 0, misses: 0 });
  });
});

describe('a caller that aborts', () => {
  it('leaves the load to those who still wait', async () => {
    const source = new ManualSource<string, string>();
    const { cache } = manualCache({ load: source.load });
    const controller = new AbortController();
    const gone = cache.get('a', { signal: controller.signal });
    const stays = cache.get('a');
    controller.abort(new Error('gone'));
    await expect(gone).rejects.toThrow('gone');
    expect(source.calls[0]!.signal.aborted).toBe(false);
    source.resolve(0, '1');
    expect(await stays).toBe('1');
  });

  it('aborts the load when it was the last; who comes later starts anew', async () => {
    const source = new ManualSource<string, string>();
    const { cache } = manualCache({ load: source.load });
    const controllers = [new AbortController(), new AbortController()];
    const gone = controllers.map(({ signal }) => cache.get('a', { signal }));
    await settle();
    const { signal } = source.calls[0]!;
    controllers[0]!.abort(new Error('first'));
    expect(signal.aborted).toBe(false);
    controllers[1]!.abort(new Error('second'));
    await expect(gone[0]).rejects.toThrow('first');
    await expect(gone[1]).rejects.toThrow('second');
    expect(signal.reason).toMatchObject({ message: 'second' });
    const next = cache.get('a');
    await settle();
    source.resolve(1, 'new');
    source.resolve(0, 'old');
    expect(await next).toBe('new');
    await settle();
    expect(cache.peek('a')).toBe('new');
  });

  it('is refused at once when it has aborted before', async () => {
    const { cache } = manualCache();
    await cache.set('a', '1');
    const signal = AbortSignal.abort(new Error('before'));
    await expect(cache.get('a', { signal })).rejects.toThrow('before');
    await expect(cache.getMany(['a'], { signal })).rejects.toThrow('before');
    await expect(cache.set('a', '2', { signal })).rejects.toThrow('before');
  });

  it('leaves no listener on its signal', async () => {
    const { cache } = manualCache();
    const { signal } = new AbortController();
    const [added, removed] = [vi.spyOn(signal, 'addEventListener'), vi.spyOn(signal, 'removeEventListener')];
    await cache.get('a', async () => '1', { signal });
    await settle();
    expect(removed.mock.calls.length).toBe(added.mock.calls.length);
  });
});

describe('timeouts', () => {
  it('gives a load up after `timeoutMs`, and aborts it', async () => {
    const source = new ManualSource<string, string>();
    const { cache, clock } = manualCache({ name: 'c', load: source.load, timeoutMs: 50 });
    const waiting = cache.get('a');
    waiting.catch(() => {});
    await clock.advance(50);
    await expect(waiting).rejects.toMatchObject({
      code: LoadTimeoutError.code,
      message: 'c gave up loading "a" after 50 ms',
      timeoutMs: 50,
    });
    expect(source.calls[0]!.signal.reason).toBeInstanceOf(LoadTimeoutError);
    source.resolve(0, 'late');
    await settle();
    expect(cache.peek('a')).toBeUndefined();
    const again = cache.get('a');
    await settle();
    source.resolve(1, 'in time');
    expect(await again).toBe('in time');
    expect(clock.sleeping).toBe(0);
  });

  it('serves what is kept when a load is slow, and takes its value when it comes', async () => {
    const source = new ManualSource<string, string>();
    const { cache, clock } = manualCache({
      ...{ load: source.load, ttlMs: 100, staleIfErrorMs: 1_000, softTimeoutMs: 20 },
    });
    await cache.set('a', 'old');
    await clock.advance(100);
    const waiting = cache.get('a');
    await clock.advance(20);
    expect(await waiting).toBe('old');
    source.resolve(0, 'new');
    await settle();
    expect(cache.peek('a')).toBe('new');
    expect(cache.snapshot()).toMatchObject({ staleServed: 1, loading: 0 });
    expect(clock.sleeping).toBe(0);
  });
});

describe('close', () => {
  it('ends what waits, aborts loads, and refuses what comes later', async () => {
    const source = new ManualSource<string, string>();
    const { cache } = manualCache({ name: 'c', load: source.load });
    const waiting = cache.get('a');
    waiting.catch(() => {});
    await settle();
    await Promise.all([cache.close(), cache.close()]);
    await expect(waiting).rejects.toThrow(CacheClosedError);
    expect(source.calls[0]!.signal.aborted).toBe(true);
    for (const call of [
      () => cache.get('a'),
      () => cache.getMany(['a']),
      () => cache.set('a', '1'),
      () => cache.delete('a'),
      () => cache.clear(),
      () => cache.invalidateTags(['x']),
    ]) {
      await expect(call()).rejects.toThrow('c is closed');
    }
    expect(cache.peek('a')).toBeUndefined();
    expect(cache.snapshot()).toMatchObject({ closed: true, size: 0 });
  });
});

describe('loadMany', () => {
  it('may answer with more than it was asked for, also when one key is asked for', async () => {
    const table = [
      ['z', 'of z'],
      ['a', 'of a'],
    ] as const;
    const { cache } = manualCache<string, string>({ loadMany: async () => table });
    expect(await cache.get('a')).toBe('of a');
    expect(await cache.get('b')).toBeUndefined();
    expect(await cache.getMany(['c', 'z', 'd'])).toEqual(new Map([['z', 'of z']]));
    expect(cache.peek('a')).toBe('of a');
  });

  it('fails where it answers with what has no pairs', async () => {
    const loadMany = async () => ({ a: 1 }) as never;
    const { cache } = manualCache<string, number>({ loadMany });
    await expect(cache.get('a')).rejects.toThrow(LoadError);
    await expect(cache.getMany(['a', 'b'])).rejects.toThrow(LoadError);
  });
});
