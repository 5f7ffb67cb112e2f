import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it, vi } from 'vitest';
import { type CacheOptions, cacheAside, memoryTier, type RemoteTier, writeThrough } from '../../src/index.ts';
import { deferred, ManualSource, manualCache, settle } from '../support/caches.ts';
import { Gates, gatedTier } from '../support/schedule.ts';
import { entry, failingTier, nobody } from '../support/tiers.ts';

type Options = Partial<CacheOptions<string, string>>;

function pair(options: Options = {}, remote?: RemoteTier) {
  const clock = new ManualClock();
  const tier = memoryTier({ clock });
  const shared = { clock, remote: remote ?? tier, ...options };
  const [a, b] = [manualCache({ name: 'a', ...shared }).cache, manualCache({ name: 'b', ...shared }).cache];
  return { a, b, clock, tier };
}

describe('two caches over one tier', () => {
  it('what one loads, the other finds', async () => {
    const load = vi.fn(async (key: string) => `${key}!`);
    const { a, b } = pair({ load, ttlMs: 1_000 });
    expect(await a.get('x')).toBe('x!');
    await settle();
    expect(await b.get('x')).toBe('x!');
    expect(load).toHaveBeenCalledOnce();
    expect(b.snapshot()).toMatchObject({ remoteHits: 1, loads: 0, misses: 1 });
    expect(await b.get('x')).toBe('x!');
    expect(b.snapshot()).toMatchObject({ hits: 1 });
  });

  it('a cold key is loaded once for fifty callers over both', async () => {
    const source = new ManualSource<string, string>();
    const { a, b, clock } = pair({ load: source.load });
    const waiting = Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? a : b).get('x'));
    await clock.advance(100);
    expect(source.calls.length).toBe(1);
    source.resolve(0, '1');
    await clock.advance(100);
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['1']));
    expect(source.calls.length).toBe(1);
  });

  it('the others hear of writes, deletes, tags and clears', async () => {
    const { a, b } = pair({ tags: (_, value) => [value] });
    for (const change of [
      () => a.set('x', 'new'),
      () => a.delete('x'),
      () => a.invalidateTags(['old']),
      () => a.clear(),
    ]) {
      await b.set('x', 'old');
      expect(b.peek('x')).toBe('old');
      await change();
      expect(b.peek('x')).toBeUndefined();
      expect(await b.get('x')).toBe(await a.get('x'));
    }
  });

  it('of two that set at once, both serve what the tier took last', async () => {
    const gates = new Gates();
    const clock = new ManualClock();
    const { a, b } = pair({ clock }, gatedTier(gates, memoryTier({ clock })));
    const first = a.set('x', 'a');
    await gates.release(0); // executed, not answered
    const second = b.set('x', 'b');
    await gates.release(1);
    await gates.releaseAll();
    await Promise.all([first, second]);
    expect([await a.get('x'), await b.get('x')]).toEqual(['b', 'b']);
  });

  it('remembers for each other that the source has nothing', async () => {
    const load = vi.fn(async () => undefined);
    const { a, b, clock } = pair({ load, negativeTtlMs: 100 });
    expect(await a.get('x')).toBeUndefined();
    await settle();
    expect(await b.get('x')).toBeUndefined();
    expect(load).toHaveBeenCalledOnce();
    await clock.advance(100);
    await b.get('x');
    expect(load).toHaveBeenCalledTimes(2);
  });

  it('refreshes once for both, and takes what the other has refreshed', async () => {
    const source = new ManualSource<string, string>();
    const { a, b, clock } = pair({ load: source.load, ttlMs: 1_000, staleMs: 1_000 });
    await a.set('x', 'old');
    await b.get('x');
    await clock.advance(1_020);
    expect(await Promise.all([a.get('x'), b.get('x')])).toEqual(['old', 'old']);
    await settle();
    expect(source.calls.length).toBe(1);
    source.resolve(0, 'new');
    await clock.advance(100);
    expect([await a.get('x'), await b.get('x')]).toContain('new');
    await settle();
    expect([await a.get('x'), await b.get('x')]).toEqual(['new', 'new']);
    expect(source.calls.length).toBe(1);
  });

  it('is read again after `localTtlMs`', async () => {
    const { a, b, clock } = pair({ ttlMs: 1_000, localTtlMs: 10 });
    await a.set('x', '1');
    await b.get('x');
    await clock.advance(10);
    expect(b.peek('x')).toBeUndefined();
    expect(await b.get('x')).toBe('1');
    expect(b.snapshot()).toMatchObject({ remoteHits: 2 });
  });

  it('getMany asks the tier once and the source once', async () => {
    const loadMany = vi.fn(async (keys: readonly string[]) =>
      keys.filter(k => k !== 'z').map(k => [k, `${k}!`] as const),
    );
    const { a, b, tier } = pair({ loadMany });
    await a.set('x', 'set');
    const found = await b.getMany(['x', 'y', 'z', 'y', 'w']);
    expect([...found]).toEqual([
      ['x', 'set'],
      ['y', 'y!'],
      ['w', 'w!'],
    ]);
    expect(loadMany.mock.calls.map(([keys]) => keys)).toEqual([['y', 'z', 'w']]);
    await settle();
    expect(await a.get('w')).toBe('w!');
    expect(loadMany).toHaveBeenCalledOnce();
    expect(tier.snapshot()).toMatchObject({ size: 3, leases: 0 });
  });

  it('needs strings of keys', async () => {
    const { cache } = manualCache<object, string>({ remote: memoryTier() });
    await expect(cache.get({})).rejects.toThrow(
      '`keyOf` is needed to make a string of the key an empty object',
    );
    const { cache: numbers } = manualCache<number, string>({ remote: memoryTier() });
    await numbers.set(7, 'seven');
    expect((await numbers.getMany([7])).get(7)).toBe('seven');
    const keyOf = (() => 7) as unknown as () => string;
    await expect(manualCache({ keyOf }).cache.get('a')).rejects.toThrow('`keyOf` must return strings');
  });

  it('loads anew what it cannot read, and refuses what it cannot write', async () => {
    const { a, tier } = pair({ load: async () => 'fine' });
    await tier.open(nobody).write(new Map([['x', entry('{not json')]]));
    expect(await a.get('x')).toBe('fine');
    await settle();
    expect(new TextDecoder().decode(await tier.get('x'))).toBe('"fine"');
    const { cache } = manualCache<string, bigint>({ remote: memoryTier() });
    await expect(cache.set('x', 1n)).rejects.toMatchObject({
      code: 'ASHLAR_CACHE_POLICIES_WRITE',
      outcome: 'NotExecuted',
      cause: { code: 'ASHLAR_CACHE_POLICIES_SERIALIZE' },
    });
  });
});

describe('while another has the key in hand', () => {
  it('a caller waits for it, then loads for itself and keeps nothing', async () => {
    const source = new ManualSource<string, string>();
    const { a, clock, tier } = pair({ load: source.load, leaseWaitMs: 500 });
    await tier.open(nobody).announce(['x'], 10_000);
    const waiting = a.get('x');
    await clock.advance(499);
    expect(source.calls.length).toBe(0);
    await clock.advance(1);
    source.resolve(0, 'old');
    expect(await waiting).toBe('old');
    await settle();
    expect(a.peek('x')).toBeUndefined();
    expect(await tier.get('x')).toBeUndefined();
  });

  it('a writer that died leaves nothing old: its key is free after its lease', async () => {
    const never = deferred<void>();
    const { b, clock } = pair({ load: async () => 'source', leaseMs: 300, leaseWaitMs: 1_000 });
    const { remote } = { remote: memoryTier({ clock }) };
    const dying = manualCache({
      clock,
      remote,
      leaseMs: 300,
      write: writeThrough({ write: () => never.promise }),
    });
    const alive = manualCache({ clock, remote, leaseMs: 300, load: async () => 'source' });
    await alive.cache.set('x', 'before');
    dying.cache.set('x', 'never').catch(() => {});
    await settle();
    expect(alive.cache.peek('x')).toBeUndefined();
    const waiting = alive.cache.get('x');
    await clock.advance(500);
    expect(await waiting).toBe('source');
    expect(await b.get('x')).toBe('source');
    never.resolve();
  });
});

describe('when the tier is away', () => {
  const bypass = { load: async () => 'loaded', ttlMs: 10_000 };

  it('`bypass`: nothing is served from this process beyond what is confirmed; the source is asked, and nothing kept', async () => {
    const clock = new ManualClock();
    const { remote, state, tell } = failingTier(memoryTier({ clock }));
    const { cache } = manualCache({ clock, remote, ...bypass });
    await cache.set('x', 'old');
    state.confirmedUntil = 100;
    tell('disconnected');
    expect(await cache.get('x')).toBe('old');
    await clock.advance(101);
    expect(cache.peek('x')).toBeUndefined();
    expect(await cache.get('x')).toBe('loaded');
    expect(await cache.get('x')).toBe('loaded');
    expect(cache.snapshot()).toMatchObject({ loads: 2, remote: { connected: false } });
    state.confirmedUntil = Number.POSITIVE_INFINITY;
    tell('connected');
    await cache.get('x');
    await settle();
    expect(cache.peek('x')).toBe('old');
  });

  it('`serveMs`: local values are served that long after they were confirmed or loaded', async () => {
    const clock = new ManualClock();
    const { remote, state, tell } = failingTier(memoryTier({ clock }));
    const { cache } = manualCache({ clock, remote, ...bypass, onDisconnect: { serveMs: 1_000 } });
    await cache.set('x', 'old');
    state.confirmedUntil = 100;
    tell('disconnected');
    await clock.advance(1_100);
    expect(await cache.get('x')).toBe('old');
    await clock.advance(1);
    expect(await cache.get('x')).toBe('loaded');
    await clock.advance(1_000);
    expect(cache.peek('x')).toBe('loaded');
    await clock.advance(1);
    expect(cache.peek('x')).toBeUndefined();
    tell('connected');
    expect(cache.snapshot()).toMatchObject({ size: 0, resets: 1 });
  });

  it('a load that failed to reach the tier is kept nowhere, though the feed is alive', async () => {
    const { remote, state } = failingTier(memoryTier());
    const { cache } = manualCache({ remote, ...bypass });
    state.away = true;
    expect(await cache.get('x')).toBe('loaded');
    expect(cache.peek('x')).toBeUndefined();
    expect(cache.snapshot()).toMatchObject({ remote: { failures: 1 } });
  });

  it('a write reaches the source and says that the others do not know; they are told when the tier is back', async () => {
    const clock = new ManualClock();
    const tier = memoryTier({ clock });
    const { remote, tell } = failingTier(tier);
    const rows = new Map<string, string>();
    const write = cacheAside<string, string>({ write: async (key, value) => void rows.set(key, value!) });
    const { cache } = manualCache({ clock, remote, write, load: async key => rows.get(key) });
    const { cache: other } = manualCache({ clock, remote: tier, load: async key => rows.get(key) });
    rows.set('x', 'old');
    expect(await other.get('x')).toBe('old');
    tell('disconnected');
    await expect(cache.set('x', 'new')).rejects.toMatchObject({
      code: 'ASHLAR_CACHE_POLICIES_WRITE',
      outcome: 'Executed',
    });
    expect(rows.get('x')).toBe('new');
    expect(cache.snapshot()).toMatchObject({ remote: { pendingInvalidations: 1 }, writeFailures: 1 });
    expect(await cache.get('x')).toBe('new');
    tell('connected');
    expect(await cache.get('x')).toBe('new');
    await settle();
    expect(cache.snapshot()).toMatchObject({ remote: { pendingInvalidations: 0 } });
    expect(await other.get('x')).toBe('new');
  });

  it('joins no load from before what is confirmed', async () => {
    const clock = new ManualClock();
    const { remote, state } = failingTier(memoryTier({ clock }));
    const source = new ManualSource<string, string>();
    const { cache } = manualCache({ clock, remote, load: source.load, leaseMs: 100, leaseWaitMs: 0 });
    state.confirmedUntil = 50;
    const before = cache.get('x');
    await settle();
    await clock.advance(1_000); // stopped, say
    const after = cache.get('x');
    await settle();
    source.resolve(0, 'old');
    source.resolve(1, 'new');
    expect(await Promise.all([before, after])).toEqual(['old', 'new']);
  });
});
