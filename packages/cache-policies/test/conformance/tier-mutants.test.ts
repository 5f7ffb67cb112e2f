import type { ManualClock } from '@ashlar/core/testing';
import { expect, it } from 'vitest';
import { type TierSubject, tierConformance } from '../../src/conformance.ts';
import type { RemoteTier, TierListener, TierSession } from '../../src/index.ts';
import { manualTier } from '../support/tiers.ts';

interface Context {
  readonly session: TierSession;
  readonly clock: ManualClock;
  /** The listener that this session would have called. */
  readonly listener: TierListener;
  /** The sessions of the same tier. */
  readonly all: readonly Context[];
}

type Mutant = (context: Context) => Partial<TierSession> & { listener?: Partial<TierListener> };

/** What a tier could do wrong, and the test that finds it. */
const mutants: readonly (readonly [what: string, caughtBy: string, mutant: Mutant])[] = [
  [
    'a fill ignores its lease',
    'a fill is refused after a write by another session',
    ({ session }) => ({
      async fill(fills) {
        await session.write(new Map(fills.map(({ key, entry }) => [key, entry])));
        return fills.map(() => true);
      },
    }),
  ],
  [
    'a fill asks only whether anybody has a lease',
    'a fill is refused after a change, also while another has the lease or has filled',
    ({ session }) => ({
      async fill(fills) {
        for (const { key, entry } of fills) {
          const [read] = await session.read([key], { leaseMs: 1, minFreshMs: Number.POSITIVE_INFINITY });
          if (read?.lease === undefined) await session.write(new Map([[key, entry]]));
        }
        return fills.map(() => true);
      },
    }),
  ],
  [
    'leases are numbers that begin again when the tier is emptied',
    'a tier that was emptied refuses what was leased before, also once the key is leased anew',
    context => numbered(context),
  ],
  [
    'the notice comes before the write',
    'a notice comes after its change is visible',
    ({ session, all }) => ({
      async write(entries) {
        for (const { session: other, listener } of all) {
          if (other !== session) listener.invalidated({ keys: [...entries.keys()], tags: [] });
        }
        await Promise.resolve().then(() => Promise.resolve());
        await session.write(entries);
      },
    }),
  ],
  [
    'an invalidation leaves the leases',
    'a fill is refused after an invalidation by another session',
    ({ session }) => ({
      async invalidate(keys) {
        const reads = await session.read(keys);
        for (const [i, { entry }] of reads.entries()) {
          if (entry !== undefined) await session.invalidate([keys[i]!]);
        }
      },
    }),
  ],
  [
    'tags are looked at when reading, by the time of the fill',
    'a fill is refused after an invalidation of its tag by the same session',
    ({ session }) => ({
      async fill(fills) {
        const bare = fills.map(fill => ({ ...fill, entry: { ...fill.entry, tags: [] } }));
        const stored = await session.fill(bare);
        await session.write(new Map(fills.filter((_, i) => stored[i]).map(f => [f.key, f.entry])));
        return stored;
      },
    }),
  ],
  [
    'leases never end',
    'after its time a lease is refused, and the next reader gets one',
    ({ session }) => ({
      read: (keys, { leaseMs, ...options } = {}) =>
        session.read(keys, { ...options, ...(leaseMs === undefined ? {} : { leaseMs: 1e9 }) }),
    }),
  ],
  [
    'every reader gets a lease',
    'of fifty readers over two sessions, one gets the lease',
    ({ session }) => ({
      async read(keys, options) {
        const reads = await session.read(keys, options);
        return reads.map(read => (read.busyMs === undefined ? read : { lease: `${Math.random()}` }));
      },
    }),
  ],
  [
    'a stale value is not given',
    'stale is read until its keeping ends',
    ({ session }) => ({
      async read(keys, options) {
        const reads = await session.read(keys, options);
        return reads.map(({ entry, ...read }) =>
          entry === undefined || entry.freshMs <= 0 ? read : { entry, ...read },
        );
      },
    }),
  ],
  [
    'a negative answer is forgotten',
    'a negative answer is kept as such, and empty bytes are a value',
    ({ session }) => ({
      write: entries => session.write(new Map([...entries].filter(([, { value }]) => value !== undefined))),
    }),
  ],
  [
    'a session receives its own changes',
    'others are notified of writes, invalidations and tags; the session itself is not',
    ({ session, listener }) => ({
      async write(entries) {
        await session.write(entries);
        listener.invalidated({ keys: [...entries.keys()], tags: [] });
      },
    }),
  ],
  [
    'some notices are lost without a reset',
    'nothing is confirmed without its notice',
    ({ listener }) => {
      let count = 0;
      return {
        listener: {
          invalidated: change => {
            if (++count % 10 !== 0) listener.invalidated(change);
          },
        },
      };
    },
  ],
  [
    'a message comes late, after the write resolved and while the tier says that nothing is open',
    'nothing is confirmed without its notice',
    ({ listener, clock }) => ({
      listener: {
        invalidated: change => {
          void clock.sleep(1).then(() => listener.invalidated(change));
        },
      },
    }),
  ],
  ['a clear notifies no session', 'a clear is a reset for the others', () => ({ listener: { reset() {} } })],
  [
    'an emptied tier notifies no session',
    'every session says reset when the tier was emptied, and receives later changes',
    ({ listener }) => ({ listener: { reset: reason => reason !== 'emptied' && listener.reset(reason) } }),
  ],
  [
    'a writer takes no lease',
    'a writer of the source first takes the lease, so that no reader stores what it read before',
    ({ session }) => ({
      async announce(keys) {
        await session.invalidate(keys);
        return keys.map(() => 'none');
      },
    }),
  ],
  [
    'a second writer does not void the first',
    'of two that write the source at once, neither stores unless it was alone',
    ({ session }) => ({
      async announce(keys, leaseMs) {
        const reads = await session.read(keys, { leaseMs, minFreshMs: Number.POSITIVE_INFINITY });
        return reads.map(({ lease }) => lease ?? 'none');
      },
    }),
  ],
  [
    'a release frees whoever has the lease',
    'a lease that was given back is free for the next, and fills no more',
    ({ session }) => ({
      async release(leases) {
        await session.invalidate(leases.map(({ key }) => key));
        return leases.map(() => true);
      },
    }),
  ],
];

const counters = new WeakMap<readonly Context[], { count: number; readonly real: Map<string, string> }>();

for (const [what, caughtBy, mutant] of mutants) {
  it(`finds a tier in which ${what}`, async () => {
    const tests = new Map<string, () => Promise<void>>();
    const add = (name: string, body: () => Promise<void> | void) => tests.set(name, async () => body());
    const runner = {
      describe: (_: string, body: () => void) => body(),
      it: Object.assign(add, { skip() {} }),
    };
    tierConformance(runner, async () => broken(mutant), { name: 'a mutant', features: { empties: true } });
    await expect(tests.get(caughtBy)!()).rejects.toThrow();
  });
}

function broken(mutant: Mutant): TierSubject {
  const { tier, clock, ...subject } = manualTier();
  const all: Context[] = [];
  const open: RemoteTier['open'] = listener => {
    let current: TierListener = listener;
    const session = tier.open({
      invalidated: change => current.invalidated(change),
      reset: reason => current.reset(reason),
      connection: (state, error) => current.connection(state, error),
    });
    const context: Context = { session, clock, listener, all };
    all.push(context);
    const { listener: changed, ...methods } = mutant(context);
    current = { ...listener, ...changed };
    return new Proxy(session, {
      get(target, property) {
        const method = Reflect.get(methods, property) as unknown;
        if (method !== undefined) return method;
        const value = Reflect.get(target, property, target) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
  let passes = 0;
  const pass = async (ms: number) => {
    if (++passes > 100) throw new Error('enough waiting');
    await clock.advance(ms);
  };
  return { ...subject, pass, tier: { name: tier.name, get: key => tier.get(key), open } };
}

/** Leases as a version guard would have them: numbers, which the tier forgets with all else. */
function numbered({ session, listener, all }: Context): ReturnType<Mutant> {
  const counter = counters.get(all) ?? { count: 0, real: new Map<string, string>() };
  counters.set(all, counter);
  return {
    async read(keys, options) {
      const reads = await session.read(keys, options);
      return reads.map(read => {
        if (read.lease === undefined) return read;
        const lease = String(++counter.count);
        counter.real.set(lease, read.lease);
        return { ...read, lease };
      });
    },
    fill: fills => session.fill(fills.map(fill => ({ ...fill, lease: counter.real.get(fill.lease) ?? '' }))),
    listener: {
      reset(reason) {
        if (reason === 'emptied') counter.count = 0;
        listener.reset(reason);
      },
    },
  };
}
