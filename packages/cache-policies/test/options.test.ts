import { describe, expect, it } from 'vitest';
import { redisTier } from '../src/adapters/redis.ts';
import {
  CacheAdvisor,
  type Eviction,
  evictions,
  lru,
  MissRatioCurve,
  memoryTier,
  opt,
} from '../src/index.ts';
import { Trace } from '../src/trace.ts';
import { manualCache } from './support/caches.ts';
import { InvalidOptionErrorOf } from './support/faces.ts';

/** Whatever a program without types may pass: the call, and how the message begins. */
type Wrong = readonly [options: unknown, message: string];

function areRefused(what: string, make: (options: never) => unknown, wrong: readonly Wrong[]): void {
  it.each(wrong)(`${what}: %j`, (options, message) => {
    expect(() => make(options as never)).toThrow(InvalidOptionErrorOf(message));
  });
}

describe('wrong options are refused, and the message says what to write', () => {
  for (const [name, eviction] of Object.entries(evictions)) {
    areRefused(name, (bound: never) => eviction(bound), [
      [undefined, `${name} takes an object of options, got undefined`],
      [100, `${name} takes an object of options, got 100 (number)`],
      [{}, '`max` is required'],
      [{ max: '5' }, '`max` must be an integer of at least 1, got "5"'],
      [{ max: null }, '`max` must be an integer of at least 1, got null'],
      [{ max: 5, maxx: 5 }, `${name} has no option \`maxx\`; did you mean \`max\`?`],
      [{ max: 5, weigh: 'length' }, '`weigh` must be a function, got "length"'],
      [{ max: 5, onEvict: null }, '`onEvict` must be a function, got null'],
      [{ max: 5, random: 0.5 }, '`random` must be a function, got 0.5 (number)'],
    ]);
    it(`${name}: resize`, () => {
      const map = (eviction as Eviction)<string, number>({ max: 2 }).set('a', 1);
      for (const max of [undefined, '1', 0, { max: 1 }]) {
        expect(() => map.resize(max as never)).toThrow(InvalidOptionErrorOf('`max`'));
      }
      expect(map.get('a')).toBe(1);
    });
  }

  areRefused('CacheAdvisor', options => new CacheAdvisor(options), [
    [undefined, 'CacheAdvisor takes an object of options, got undefined'],
    [{ max: 5 }, '`eviction` is required'],
    [
      { max: 5, eviction: 'lru' },
      '`eviction` must be a function, got "lru"; write `eviction: lru`, imported',
    ],
    [{ max: '5', eviction: lru }, '`max` must be an integer of at least 1, got "5"'],
    [{ max: 5, eviction: lru, factors: '2' }, '`factors` must be an array, got "2"'],
    [{ max: 5, eviction: lru, factors: [0] }, '`factors[0]` must be a number above 0'],
    [
      { max: 5, eviction: lru, others: [lru] },
      '`others` must be an object of eviction policies, got an array',
    ],
    [{ max: 5, eviction: lru, others: { sieve: 'sieve' } }, '`others.sieve` must be a function, got "sieve"'],
    [{ max: 5, eviction: lru, others: null }, '`others` must be an object of eviction policies, got null'],
    [{ max: 5, eviction: lru, window: 5 }, 'CacheAdvisor has no option `window`'],
    [{ max: 5, eviction: lru, random: null }, '`random` must be a function, got null'],
  ]);

  areRefused('MissRatioCurve', options => new MissRatioCurve(options), [
    [null, 'MissRatioCurve takes an object of options, got null'],
    [8_192, 'MissRatioCurve takes an object of options, got 8192 (number)'],
    [
      { samples: Number.POSITIVE_INFINITY },
      '`samples` must be an integer of at least 16 and at most 16777216',
    ],
    [{ share: '0.5' }, '`share` must be a number above 0 and at most 1, got "0.5"'],
    [{ sample: 5 }, 'MissRatioCurve has no option `sample`; did you mean `samples`?'],
  ]);

  areRefused('memoryTier', options => memoryTier(options), [
    [null, 'memoryTier takes an object of options, got null'],
    ['rows', 'memoryTier takes an object of options, got "rows"'],
    [{ max: 0 }, '`max` must be an integer of at least 1, got 0 (number)'],
    [{ name: '' }, '`name` must be a string that is not empty, got ""'],
    [{ prefix: 'rows' }, 'memoryTier has no option `prefix`'],
    [{ clock: Date }, '`clock` must be an object with now(), sleep()'],
  ]);

  const redis = { duplicate: () => undefined };
  areRefused('redisTier', options => redisTier(options), [
    [undefined, 'redisTier takes an object of options, got undefined'],
    ['redis://localhost', 'redisTier takes an object of options, got "redis://localhost"'],
    [{ prefix: 'rows' }, '`redis` is required: write `new Redis('],
    [{ redis: {}, prefix: 'rows' }, '`redis` must be an object with duplicate(), got an empty object; write'],
    [{ redis, prefix: 5 }, '`prefix` must be a string of 1 to 200 characters without braces, got 5 (number)'],
    [{ redis }, '`prefix` must be a string of 1 to 200 characters without braces, got undefined'],
    [{ redis, prefix: 'rows', name: null }, '`name` must be a string that is not empty, got null'],
    [{ redis, prefix: 'rows', boundMs: '1000' }, '`boundMs` must be a number of milliseconds of at least 20'],
    [{ redis, prefix: 'rows', timeoutMs: Number.POSITIVE_INFINITY }, '`timeoutMs` must be a number'],
    [{ redis, prefix: 'rows', bound: 5 }, 'redisTier has no option `bound`; did you mean `boundMs`?'],
  ]);

  it('redisTier: the message does not quote a URL, which may have a password', () => {
    const make = () => redisTier({ redis: 'redis://:secret@localhost' as never, prefix: 'rows' });
    expect(make).toThrow(
      InvalidOptionErrorOf('`redis` must be a client of ioredis, got "redis://…@localhost"; write'),
    );
    expect(make).not.toThrow('secret');
  });

  areRefused('opt', requests => opt(requests, 2), [
    ['abc', '`requests` must be an iterable of keys, no string, got "abc"'],
    [undefined, '`requests` must be an iterable of keys, no string, got undefined'],
  ]);

  areRefused('opt: max', max => opt(['a'], max), [
    [0, '`max` must be an integer of at least 1'],
    [{ max: 2 }, '`max` must be an integer of at least 1, got an object with max'],
  ]);

  it('Trace.open', async () => {
    for (const file of [undefined, null, 5, '', ['a']]) {
      await expect(Trace.open(file as never)).rejects.toThrow(InvalidOptionErrorOf('`file`'));
    }
  });

  it('a tier by itself', async () => {
    const tier = memoryTier();
    expect(() => tier.open({} as never)).toThrow(InvalidOptionErrorOf('`listener` must be an object with'));
    await expect(tier.get(5 as never)).rejects.toThrow(InvalidOptionErrorOf('`key` must be a string, got 5'));
  });

  it('the arguments of `get`, also where the value is there', async () => {
    const { cache } = manualCache({ load: async () => 'loaded' });
    await cache.set('a', '1');
    const calls: readonly (readonly [unknown[], string])[] = [
      [['a', { ttl: 5 }], 'get has no option `ttl`'],
      [['a', null], 'get takes an object of options, got null'],
      [['a', async () => 'x', 5], 'get takes an object of options, got 5 (number)'],
      [
        ['a', { ttlMs: 5 }, {}],
        '`load` must be a function, got an object with ttlMs; write `cache.get(key, load',
      ],
      [['a', undefined, { tags: 'red' }], '`tags` must be an array of strings, got "red"'],
    ];
    for (const [args, message] of calls) {
      const call = (cache.get as (...all: unknown[]) => Promise<unknown>).apply(cache, args);
      await expect(call).rejects.toThrow(InvalidOptionErrorOf(message));
    }
    expect(await cache.get('a', undefined as never, { ttlMs: 5 })).toBe('1');
  });
});
