import { ManualClock } from '@ashlar/core/testing';
import fc from 'fast-check';
import { expect } from 'vitest';
import {
  Cache,
  type CacheOptions,
  cacheAside,
  memoryTier,
  type RemoteTier,
  writeThrough,
} from '../../src/index.ts';
import { GatedSource, Gates, gatedTier } from './schedule.ts';

const keys = ['a', 'b'];
const shape = {
  keyIndex: fc.nat(keys.length - 1),
  cacheIndex: fc.nat(1),
};

export type Step = { readonly keyIndex: number; readonly cacheIndex: number } & (
  | { readonly does: 'get' | 'getMany' | 'set' | 'delete' | 'outside' | 'tag' | 'clear' }
  | { readonly does: 'release'; readonly choice: number }
  | { readonly does: 'wait'; readonly ms: number }
);

export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ ...shape, does: fc.constant('get' as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({ ...shape, does: fc.constant('release' as const), choice: fc.nat(20) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      ...shape,
      does: fc.constantFrom('getMany' as const, 'set' as const, 'delete' as const, 'outside' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ ...shape, does: fc.constantFrom('tag' as const, 'clear' as const) }) },
  { weight: 1, arbitrary: fc.record({ ...shape, does: fc.constant('wait' as const), ms: fc.nat(80) }) },
);

type Options = Partial<CacheOptions<string, string>>;

export type Setup = (source: GatedSource, tier: () => RemoteTier) => Options;

/** Runs the steps; every read must be as new as what had been written, and had resolved, when it began. */
export async function runs(steps: readonly Step[], cacheCount: number, options: Setup): Promise<void> {
  const clock = new ManualClock();
  const gates = new Gates();
  const source = new GatedSource(gates);
  const own = options(source, () => gatedTier(gates, memoryTier({ clock })));
  const caches = Array.from(
    { length: cacheCount },
    () => new Cache<string, string>({ max: 10, clock, tags: key => [`tag-${key}`], ...own }),
  );
  const wrong: string[] = [];
  const all: Promise<unknown>[] = [];
  let values = 0;
  const check = (key: string, floor: number, value: string | undefined) => {
    if (source.orderOf(key, value) < floor) wrong.push(`${key} = ${value}, older than ${floor}`);
  };
  const apply = (one: Step) => {
    const key = keys[one.keyIndex]!;
    const cache = caches[one.cacheIndex % cacheCount]!;
    const floor = source.floor(key);
    if (one.does === 'get') all.push(cache.get(key).then(value => check(key, floor, value)));
    else if (one.does === 'getMany') {
      const floors = keys.map(each => source.floor(each));
      const found = cache.getMany(keys);
      all.push(
        found.then(map => {
          for (const [i, each] of keys.entries()) check(each, floors[i]!, map.get(each));
        }),
      );
    } else if (one.does === 'set' || one.does === 'delete') {
      const value = one.does === 'set' ? `v${++values}` : undefined;
      const writing = value === undefined ? cache.delete(key) : cache.set(key, value);
      const before = source.lastOrder(key);
      all.push(writing.then(() => source.resolved(key, source.orderAfter(key, value, before))));
    } else if (one.does === 'outside') {
      // somebody else writes the source, and tells by tag
      const order = source.apply(key, `o${++values}`);
      all.push(cache.invalidateTags([`tag-${key}`, 'negative']).then(() => source.resolved(key, order)));
    } else if (one.does === 'tag') all.push(cache.invalidateTags([`tag-${key}`]));
    else if (one.does === 'clear') all.push(cache.clear());
  };
  for (const one of steps) {
    if (one.does === 'release') await gates.release(one.choice);
    else if (one.does === 'wait') await clock.advance(one.ms);
    else apply(one);
  }
  await gates.releaseAll();
  const results = await driven(clock, Promise.allSettled(all));
  const rejected = results.filter(({ status }) => status === 'rejected');
  for (const cache of caches) {
    for (const key of keys) check(key, source.floor(key), await driven(clock, cache.get(key)));
  }
  for (const cache of caches) await cache.close();
  expect(wrong).toEqual([]);
  expect(rejected).toEqual([]);
}

/** Moves time on until it is there. */
async function driven<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  let done = false;
  const end = () => {
    done = true;
  };
  work.then(end, end);
  for (let i = 0; i < 500 && !done; i++) await clock.advance(50);
  if (!done) throw new Error('it does not come to an end');
  return work;
}

const timely = { ttlMs: 100, staleMs: 30, staleIfErrorMs: 60, refreshAhead: { lastMs: 20, beta: 1 } };

export type SetupName =
  | 'write-through in one process'
  | 'cache-aside in one process, bulk loads'
  | 'write-through over a shared tier'
  | 'cache-aside over a shared tier, bulk loads, short leases';

export const setups: Readonly<Record<SetupName, [caches: number, options: Setup]>> = {
  'write-through in one process': [
    1,
    ({ load, write }) => ({ load, write: writeThrough({ write }), ...timely }),
  ],
  'cache-aside in one process, bulk loads': [
    1,
    ({ load, loadMany, write }) => ({ load, loadMany, write: cacheAside({ write }), ...timely }),
  ],
  'write-through over a shared tier': [
    2,
    ({ load, write }, tier) => ({
      load,
      write: writeThrough({ write }),
      remote: tier(),
      ...timely,
    }),
  ],
  'cache-aside over a shared tier, bulk loads, short leases': [
    2,
    ({ load, loadMany, write }, tier) => ({
      ...{
        load,
        loadMany,
        write: cacheAside({ write }),
        remote: tier(),
        leaseMs: 50,
        leaseWaitMs: 20,
        ...timely,
      },
    }),
  ],
};
