import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Cache, type CacheOptions, memoryTier } from '../../src/index.ts';

type Options = Partial<CacheOptions<string, string>>;

function open(options: Options): Cache<string, string> {
  const cache = new Cache<string, string>({ max: 100, leaseMs: 60_000, leaseWaitMs: 60_000, ...options });
  onTestFinished(() => cache.close());
  return cache;
}

/** Without a tier there is no lease. */
function alone(options: Options): Cache<string, string> {
  const cache = new Cache<string, string>({ max: 100, ...options });
  onTestFinished(() => cache.close());
  return cache;
}

const cycle = { code: 'ASHLAR_CACHE_POLICIES_LOAD_CYCLE' };

const ways: readonly (readonly [string, (cache: Cache<string, string>, key: string) => Promise<unknown>])[] =
  [
    ['get', (cache, key) => cache.get(key)],
    ['get with a load of its own', (cache, key) => cache.get(key, async () => 'own')],
    ['getMany', (cache, key) => cache.getMany(['other', key, 'another'])],
  ];

const pauses: readonly (readonly [string, () => Promise<unknown>])[] = [
  ['at once', () => Promise.resolve()],
  ['after a timer', () => delay(1)],
  ['after a turn', () => new Promise(resolve => setImmediate(resolve))],
];

const cases = ways.flatMap(([way, get]) => pauses.map(([when, pause]) => ({ way, when, get, pause })));

describe.each([
  ['in one process', alone, () => ({})],
  ['over a shared tier', open, () => ({ remote: memoryTier() })],
])('a load that gets its own key, %s', (_, make, tier) => {
  it.each(cases)('by $way, $when: an error', async ({ get, pause }) => {
    const cache: Cache<string, string> = make({
      ...tier(),
      async load(key) {
        if (key.includes('other')) return key;
        await pause();
        await get(cache, key);
        return 'never';
      },
    });
    await expect(cache.get('a')).rejects.toMatchObject(cycle);
    await expect(cache.getMany(['b', 'c'])).rejects.toMatchObject(cycle);
    expect(await cache.get('other')).toBe('other');
    await expect.poll(() => cache.snapshot().loading).toBe(0);
  });

  it('in `loadMany`: an error', async () => {
    const cache: Cache<string, string> = make({
      ...tier(),
      async loadMany(keys) {
        await delay(1);
        return [...(await cache.getMany(keys))];
      },
    });
    await expect(cache.getMany(['a', 'b'])).rejects.toMatchObject(cycle);
    await expect(cache.get('a')).rejects.toMatchObject(cycle);
  });

  it('over other keys and other caches: an error where the circle closes', async () => {
    const chain: Record<string, string> = { a: 'b', b: 'c', c: 'a', d: 'a' };
    const next = async (from: Cache<string, string>, key: string) => {
      await delay(1);
      return `${key} ${await from.get(chain[key]!)}`;
    };
    const one: Cache<string, string> = make({ ...tier(), load: key => next(two, key) });
    const two: Cache<string, string> = make({ ...tier(), load: key => next(one, key) });
    // from two ends at once, so that no call is in the course of the others
    const results = await Promise.allSettled([one.get('a'), two.get('c'), two.get('d'), one.get('b')]);
    for (const result of results) {
      expect((result as PromiseRejectedResult).reason).toMatchObject(cycle);
    }
  });

  it('but not for what a load has got before: it may get other keys, and those again', async () => {
    const cache: Cache<string, string> = make({
      ...{ ...tier(), ttlMs: 1, staleMs: 60_000 },
      async load(key) {
        if (key === '0') return '0';
        const below = String(Number(key) - 1);
        await delay(1);
        const [one, two] = await Promise.all([cache.get(below), cache.get(below)]);
        return `${key}${one === two ? one : '?'}`;
      },
    });
    const tops = await Promise.all(['5', '5', '4', '3'].map(key => cache.get(key)));
    expect(tops).toEqual(['543210', '543210', '43210', '3210']);
  });

  it('but for a stale value, which it may get while it refreshes it', async () => {
    let loads = 0;
    const cache: Cache<string, string> = make({
      ...{ ...tier(), ttlMs: 1, staleMs: 60_000 },
      load: async key => (++loads === 1 ? '1' : `${await cache.get(key)}+`),
    });
    expect(await cache.get('a')).toBe('1');
    await delay(5);
    expect(await cache.get('a')).toBe('1');
    await expect.poll(() => cache.peek('a')).toMatch(/^1\+/u);
  });
});

it('nested caches over one tier: a load that gets its key through another cache', async () => {
  const remote = memoryTier();
  const inner = open({ remote, load: async key => `${key}!` });
  const between = alone({ load: key => inner.get(key.slice(1)) });
  const direct = open({ remote, load: key => inner.get(key) });
  const far = open({ remote, load: key => between.get(`-${key}`) });
  await expect(direct.get('a')).rejects.toMatchObject(cycle);
  await expect(far.get('b')).rejects.toMatchObject(cycle);
  await expect(direct.getMany(['c', 'd'])).rejects.toMatchObject(cycle);
  expect(await inner.get('a')).toBe('a!');
  await expect.poll(() => remote.snapshot().leases).toBe(0);
});

it('what a load has left behind is a caller like any other', async () => {
  const late: Promise<unknown>[] = [];
  let loads = 0;
  const cache: Cache<string, string> = alone({
    ttlMs: 1,
    async load(key) {
      if (++loads === 1) late.push(delay(20).then(() => cache.get(key)));
      await delay(1);
      return `${key} ${loads}`;
    },
  });
  await cache.get('a');
  // a load is under way again when the first one's continuation gets the key
  await delay(19);
  const again = cache.get('a');
  await Promise.all([again, ...late]);
});

it('a load that was given up gets its key like any other caller', async () => {
  const gone = new AbortController();
  let loads = 0;
  let late: Promise<unknown> | undefined;
  const cache: Cache<string, string> = alone({
    async load(key) {
      if (++loads > 1) return 'second';
      await delay(10);
      late = cache.get(key);
      return 'first';
    },
  });
  const first = cache.get('a', gone);
  gone.abort(new Error('gone'));
  await expect(first).rejects.toThrow('gone');
  await expect.poll(() => late).toBeDefined();
  expect(await late).toBe('second');
});
