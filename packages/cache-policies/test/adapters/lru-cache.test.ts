import { seededRandom } from '@ashlar/core';
import { LRUCache as Theirs } from 'lru-cache';
import { describe, expect, it } from 'vitest';
import { LRUCache, type LRUCacheOptions } from '../../src/adapters/lru-cache.ts';
import { lru } from '../../src/index.ts';
import { deferred, settle } from '../support/caches.ts';

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
    [{ max: 5, ttlAutopurge: true }, '`ttlAutopurge` of lru-cache is not honored here: expired entries go'],
    [{ max: 5, noDeleteOnFetchRejection: true }, 'use `Cache` with `staleIfErrorMs`'],
    [{ max: 5, memoMethod: () => 1 }, '`memoMethod` of lru-cache is not honored here'],
    [{ max: 5, maxAge: 7 }, 'LRUCache has no option `maxAge`; it takes eviction, max'],
    [{ max: 5, fetchMethod: 7 }, '`fetchMethod` must be a function, got 7'],
  ])('refuse %j', (options, message) => {
    expect(() => new LRUCache(options as never)).toThrow(message);
    expect(() => new LRUCache({ max: 5, noDisposeOnSet: false } as never)).not.toThrow();
  });

  it('refuse what one `set` cannot do', () => {
    const cache = new LRUCache<string, string>({ maxSize: 10 });
    expect(() => cache.set('a', 'x', { noUpdateTTL: true } as never)).toThrow('not `noUpdateTTL`');
    expect(() => cache.set('a', 'x')).toThrow(/weigh/);
    expect(cache.set('a', 'x', { size: 4 }).set('b', 'y', { size: 7 }).size).toBe(1);
  });
});
