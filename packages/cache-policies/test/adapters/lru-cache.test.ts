import { seededRandom } from '@ashlar/core';
import { LRUCache as Theirs } from 'lru-cache';
import { describe, expect, it } from 'vitest';
import { LRUCache, type LRUCacheOptions } from '../../src/adapters/lru-cache.ts';
import { lru } from '../../src/index.ts';
import { deferred, settle } from '../support/caches.ts';
import { InvalidOptionErrorOf } from '../support/faces.ts';

type Options = Omit<LRUCacheOptions<string, number>, 'eviction' | 'perf' | 'dispose'>;

/** Both, on one clock, with what they disposed of. */
function both(options: Options) {
  const clock = { ms: 1_000, now: () => clock.ms };
  const gone: [string[], string[]] = [[], []];
  const tell = (log: string[]) => (value: number, key: string, reason: string) =>
    log.push(`${key}=${value} ${reason}`);
  const all = { ...options, perf: clock };
  const ours = new LRUCache<string, number>({ ...all, eviction: lru, dispose: tell(gone[0]) });
  const theirs = new Theirs<string, number>({ ...all, ttlResolution: 0, dispose: tell(gone[1]) } as never);
  return { ours, theirs, clock, gone };
}

const settings: readonly Options[] = [
  { max: 10 },
  { max: 10, ttl: 30 },
  { max: 10, ttl: 30, updateAgeOnGet: true },
  { max: 10, ttl: 30, allowStale: true },
  { maxSize: 60, sizeCalculation: value => 1 + (value % 9), ttl: 50 },
];

describe('the calls of lru-cache', () => {
  it.each(settings)('answer as lru-cache does to the same 3 000 operations: %j', options => {
    const { ours, theirs, clock, gone } = both(options);
    const random = seededRandom(11);
    let hits = 0;
    for (let step = 0; step < 3_000; step++) {
      const key = `k${Math.floor(20 * random() ** 2)}`;
      const act = step % 400 === 399 ? 'clear' : Math.floor(39 * random());
      const does = (one: LRUCache<string, number> | Theirs<string, number>): unknown => {
        if (act === 'clear') return one.clear();
        if (act < 14) return one.get(key);
        if (act < 18) return one.has(key);
        if (act < 22) return one.peek(key);
        if (act < 30) return one.set(key, step).size;
        if (act < 32) return one.set(key, step, { ttl: 7 }).size;
        if (act < 34) return one.getRemainingTTL(key);
        if (act < 36) return one.delete(key);
        if (act < 37) return one.set(key, undefined).size;
        if (act < 38) return one.purgeStale();
        return [[...one].map(String).sort(), [...one.keys()].length, [...one.values()].length];
      };
      if (random() < 0.3) clock.ms += Math.floor(12 * random());
      const answer = does(ours);
      expect(answer, `step ${step}, act ${act}, ${key}`).toEqual(does(theirs));
      expect(ours.size).toBe(theirs.size);
      if (Number(act) < 14 && answer !== undefined) hits++;
      if (act === 'clear' || Number(act) === 37) {
        gone[0].sort(); // they are told in no promised order
        gone[1].sort();
      }
    }
    expect(gone[0]).toEqual(gone[1]);
    expect(hits).toBeGreaterThan(200);
    const reasons = new Set(gone[0].map(line => line.split(' ')[1]));
    expect([...reasons].sort()).toEqual(['delete', 'evict', 'expire', 'set']);
  });

  const changes: Record<string, (one: LRUCache<string, string> | Theirs<string, string>) => unknown> = {
    'a delete': one => one.delete('a'),
    'a set': one => one.set('a', 'new').size,
    'a clear': one => one.clear(),
    'a read': one => [one.get('a'), one.has('a'), one.peek('a')],
    nothing: () => 0,
  };
  it.each(Object.keys(changes))('fetch as lru-cache does, with %s meanwhile', async change => {
    const outcomes = [LRUCache<string, string>, Theirs<string, string>].map(async Made => {
      const answer = deferred<string>();
      const fetchMethod = () => answer.promise;
      const one = new Made({ max: 5, fetchMethod });
      const both = [one.fetch('a'), one.fetch('a')].map(fetching => fetching.catch(String));
      const during = changes[change]!(one);
      answer.resolve('fetched');
      return [await Promise.all(both), during, one.get('a')];
    });
    const [mine, real] = await Promise.all(outcomes);
    expect(mine).toEqual(real);
  });

  it('fetch once for many, anew when it has expired or is told to, with what was there', async () => {
    const clock = { ms: 1_000, now: () => clock.ms };
    const runs = [LRUCache<string, string, number>, Theirs<string, string, number>].map(async Made => {
      const log: unknown[] = [];
      const fetchMethod = async (
        key: string,
        stale: string | undefined,
        { context }: { context: number },
      ) => {
        log.push([key, stale, context]);
        if (context === 3) throw new Error('down');
        return context === 4 ? undefined : `${key}${context}`;
      };
      const one = new Made({ max: 5, ttl: 100, perf: clock, fetchMethod } as never);
      log.push(await Promise.all([1, 1].map(context => one.fetch('a', { context }))));
      log.push(await one.fetch('a', { context: 9 }));
      log.push(await one.fetch('a', { context: 2, forceRefresh: true, ttl: 7 }), one.getRemainingTTL('a'));
      const failing = one.fetch('a', { context: 3, forceRefresh: true }).catch(String);
      log.push(one.get('a'), await failing, one.get('a'));
      log.push(await one.fetch('b', { context: 4 }), one.has('b'));
      const controller = new AbortController();
      const aborted = one.fetch('c', { context: 5, signal: controller.signal }).catch(String);
      controller.abort(new Error('gone'));
      log.push(await aborted, one.get('c'));
      return log;
    });
    const [mine, real] = await Promise.all(runs);
    expect(mine).toEqual(real);
  });

  it('answer with what has expired while it is fetched, if it is told to', async () => {
    const clock = { ms: 1_000, now: () => clock.ms };
    const answers = [deferred<string>()];
    const cache = new LRUCache<string, string>({
      ...{ max: 5, ttl: 10, allowStale: true, perf: clock },
      fetchMethod: () => answers.at(-1)!.promise,
    });
    cache.set('a', 'old');
    clock.ms += 20;
    expect(await cache.fetch('a')).toBe('old');
    answers[0]!.resolve('new');
    await settle();
    expect(cache.get('a')).toBe('new');
    answers.push(deferred());
    clock.ms += 20;
    expect(await cache.fetch('a')).toBe('new');
    answers[1]!.reject(new Error('down'));
    await settle();
    expect(cache.peek('a')).toBeUndefined();
  });

  it('evict by the policy that is chosen, wTinyLfu by default', () => {
    const cache = new LRUCache<number, number>({ max: 100 });
    for (let round = 0; round < 5; round++)
      for (let key = 0; key < 50; key++) cache.get(key) ?? cache.set(key, key);
    for (let key = 1_000; key < 3_000; key++) cache.set(key, key);
    expect(cache.size).toBe(100);
    expect(Array.from({ length: 50 }, (_, key) => cache.has(key)).filter(Boolean).length).toBeGreaterThan(40);
  });

  it.each([
    [{}, 'LRUCache needs `max` or `maxSize`'],
    [{ max: 5, maxSize: 5 }, 'one of the two'],
    [{ max: 5, sizeCalculation: () => 1 }, '`sizeCalculation` needs `maxSize`'],
    [{ max: 5, ttl: -1 }, '`ttl` must be'],
    [{ max: 0 }, '`max` must be'],
    [
      { max: 5, ttlAutopurge: true },
      '`ttlAutopurge` of lru-cache is not honored here: expired entries are evicted',
    ],
    [{ max: 5, noDeleteOnFetchRejection: true }, 'use `Cache` with `staleIfErrorMs`'],
    [{ max: 5, memoMethod: () => 1 }, '`memoMethod` of lru-cache is not honored here'],
    [{ max: 5, maxAge: 7 }, 'LRUCache has no option `maxAge`; it takes eviction, max'],
    [{ max: 5, fetchMethod: 7 }, '`fetchMethod` must be a function, got 7'],
    [{ max: 5, perf: {} }, '`perf` must be an object with now(), got an empty object'],
    [{ max: 5, perf: null }, '`perf` must be an object with now(), got null'],
    [
      { max: 5, eviction: 'lru' },
      '`eviction` must be a function, got "lru"; write `eviction: lru`, imported',
    ],
    [{ max: 5, dispose: 'log' }, '`dispose` must be a function, got "log"'],
    [{ max: 5, allowStale: 1 }, '`allowStale` must be true or false, got 1 (number)'],
    [{ max: '5' }, '`max` must be an integer of at least 1, got "5"'],
    [5, 'LRUCache takes an object of options, got 5 (number)'],
    [null, 'LRUCache takes an object of options, got null'],
  ])('refuse %j', (options, message) => {
    expect(() => new LRUCache(options as never)).toThrow(InvalidOptionErrorOf(message));
    expect(() => new LRUCache({ max: 5, noDisposeOnSet: false } as never)).not.toThrow();
  });

  it('refuse an option of a call that is not honored, and a value that it cannot have', async () => {
    const cache = new LRUCache<string, string>({ maxSize: 10, fetchMethod: () => 'fetched' });
    const calls: [() => unknown, string][] = [
      [() => cache.set('a', 'x', { noUpdateTTL: true } as never), 'set has no option `noUpdateTTL`'],
      [() => cache.set('a', 'x', { ttl: Number.NaN }), '`ttl` must be a number of milliseconds'],
      [() => cache.set('a', 'x', { size: '4' } as never), '`size` must be an integer of at least 0, got "4"'],
      [() => cache.set('a', 'x', 60_000 as never), 'set takes an object of options, got 60000 (number)'],
      [() => cache.get('a', { noDeleteOnStaleGet: true } as never), 'get has no option `noDeleteOnStaleGet`'],
      [() => cache.get('a', { allowStale: 'yes' } as never), '`allowStale` must be true or false, got "yes"'],
      [() => cache.peek('a', { stale: true } as never), 'peek has no option `stale`'],
      [() => cache.has('a', { updateAgeOnHas: true } as never), 'has has no option `updateAgeOnHas`'],
      [() => cache.set('a', 'x'), 'the `size` of "a" must be an integer of at least 1, got undefined; with'],
    ];
    for (const [call, message] of calls) expect(call).toThrow(InvalidOptionErrorOf(message));
    const fetching = cache.fetch('a', { ignoreFetchAbort: true } as never);
    await expect(fetching).rejects.toThrow(InvalidOptionErrorOf('fetch has no option `ignoreFetchAbort`'));
    await expect(cache.fetch('a', { signal: {} } as never)).rejects.toThrow(
      '`signal` must be an AbortSignal',
    );
    expect(cache.set('a', 'x', { size: 4 }).set('b', 'y', { size: 7 }).size).toBe(1);
  });

  it('have a `ttl` that was computed from a time of expiry, as lru-cache does', () => {
    for (const ttl of [-1, -1e12, 0, 0.5, 1e15, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const runs = [LRUCache<string, string>, Theirs<string, string>].map(Made => {
        let now = 1;
        const own = Made === Theirs && { ttlResolution: 0 };
        const cache = new Made({ max: 5, perf: { now: () => now }, ...own });
        cache.set('a', 'x', { ttl });
        const seen: unknown[] = [];
        for (now of [1, 2, 1e9]) seen.push(cache.has('a'), cache.getRemainingTTL('a') > 0);
        return [...seen, cache.get('a')];
      });
      expect(runs[0]).toEqual(runs[1]);
    }
  });

  it.each([0, -1, 1.5, Number.NaN, '4', undefined])('names the size that is none: %j', size => {
    const cache = new LRUCache<string, string>({ maxSize: 10, sizeCalculation: () => size as number });
    expect(() => cache.set('a', 'x')).toThrow(
      InvalidOptionErrorOf('the `size` of "a" must be an integer of at least 1'),
    );
    expect(cache.size).toBe(0);
  });

  it('let a call say `allowStale` and `updateAgeOnGet`, as lru-cache does', async () => {
    const runs = [LRUCache<string, string>, Theirs<string, string>].map(async Made => {
      const clock = { ms: 1_000, now: () => clock.ms };
      const fetchMethod = () => new Promise<string>(() => {});
      const exact = (Made as unknown) === Theirs ? { ttlResolution: 0 } : {};
      const one = new Made({ max: 5, ttl: 10, perf: clock, fetchMethod, ...exact });
      one.set('a', 'A').set('b', 'B').set('c', 'C').set('d', 'D');
      clock.ms += 9;
      const answers: unknown[] = [one.get('a', { updateAgeOnGet: true }), one.get('b')];
      clock.ms += 5;
      answers.push(one.get('a'), one.peek('b'), one.peek('b', { allowStale: true }));
      answers.push(one.get('b', { allowStale: true }), one.get('b', { allowStale: true }), one.get('c'));
      answers.push(await one.fetch('d', { allowStale: true }));
      return answers;
    });
    const [mine, real] = await Promise.all(runs);
    expect(mine).toEqual(real);
    expect(mine).toEqual(['A', 'B', 'A', undefined, 'B', 'B', undefined, undefined, 'D']);
  });

  it('give `fetchMethod` the options of what it fetches, which it may change, as lru-cache does', async () => {
    const runs = [LRUCache<string, string>, Theirs<string, string>].map(async Made => {
      const clock = { ms: 1_000, now: () => clock.ms };
      const seen: unknown[] = [];
      const exact = (Made as unknown) === Theirs ? { ttlResolution: 0 } : {};
      const one = new Made({
        ...{ max: 5, ttl: 10, perf: clock, ...exact },
        fetchMethod: (key: string, _: unknown, { options }: { options: { ttl?: number | undefined } }) => {
          seen.push(options.ttl);
          if (key === 'long') options.ttl = 1_000;
          return key;
        },
      });
      await Promise.all([one.fetch('long'), one.fetch('usual'), one.fetch('brief', { ttl: 5 })]);
      for (const key of ['long', 'usual', 'brief']) seen.push(one.getRemainingTTL(key));
      return seen;
    });
    const [mine, real] = await Promise.all(runs);
    expect(mine).toEqual(real);
    expect(mine).toEqual([10, 10, 5, 1_000, 10, 5]);
  });

  it('weigh what is fetched by the `size` of the call, as lru-cache does', async () => {
    const fetchMethod = async (key: string) => key;
    for (const one of [
      new LRUCache<string, string>({ maxSize: 10, eviction: lru, fetchMethod }),
      new Theirs<string, string>({ maxSize: 10, fetchMethod }),
    ]) {
      for (const key of ['a', 'b', 'c']) await one.fetch(key, { size: 4 });
      expect([...one.keys()].sort()).toEqual(['b', 'c']);
    }
  });
});
