import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { ManualClock } from '@ashlar/core/testing';
import { getJson, type Store, setJson } from '@ashlar/store';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { LostCopyError, MoveAbortedError } from '../../src/errors/moves.ts';
import type { ShardMap } from '../../src/map/shard-map.ts';
import { memoryMoves } from '../../src/memory/memory-moves.ts';
import type { MemoryClient } from '../../src/memory/memory-shard.ts';
import { altered } from '../support/altered.ts';
import { movingShards, noteOf, put, tenantsOn } from '../support/moving-shards.ts';

const mapKey = 'shards:shards:map';

/** A store that can be told not to answer, for one router. */
function breakable(store: Store): { readonly store: Store; isBroken: boolean } {
  const state = { isBroken: false };
  const check = async () => {
    if (state.isBroken) throw new Error('the store does not answer');
  };
  const broken = altered(store, {
    async get(key) {
      await check();
      return store.get(key);
    },
    async set(key, value, options) {
      await check();
      return store.set(key, value, options);
    },
  });
  return Object.assign(state, { store: broken });
}

describe('the lease of a router', () => {
  it('lets reads go on without the store for as long as it lasts, and eventual ones for ever', async () => {
    const { store, router } = await movingShards();
    const clock = new ManualClock();
    const link = breakable(store);
    const one = await router({ store: link.store, clock, leaseMs: 1_000 });
    const [tenant] = tenantsOn(one, 'a', 1) as [number];
    await one.on(tenant).write(db => db.execute(put(tenant, 1)));
    link.isBroken = true;
    await clock.advance(800);
    expect(one.snapshot().isValid).toBe(true);
    expect(await one.on(tenant).read(db => noteOf(db, tenant))).toBe('x');
    await one.on(tenant).write(db => db.execute(put(tenant, 2)));
    await clock.advance(800);
    expect(one.snapshot().isValid).toBe(false);
    const work = vi.fn(db => db.execute(put(tenant, 3)));
    await expect(one.on(tenant).read(db => noteOf(db, tenant))).rejects.toThrow('does not answer');
    await expect(one.on(tenant).write(work)).rejects.toThrow('does not answer');
    expect(work).not.toHaveBeenCalled();
    expect(await one.on(tenant).read(db => noteOf(db, tenant), { consistency: 'eventual' })).toBe('x');
    link.isBroken = false;
    expect(await one.on(tenant).read(db => noteOf(db, tenant))).toBe('x');
    await clock.advance(1_000);
    expect(one.snapshot().isValid).toBe(true);
  });

  it('has a transaction run again that throws since its rows have gone, where the process stood still meanwhile', async () => {
    const { store, router, mover } = await movingShards();
    const link = breakable(store);
    const still = new ManualClock();
    let stoodStillMs = 0;
    const clock = {
      now: () => still.now() + stoodStillMs,
      sleep: (ms: number, signal?: AbortSignal) => still.sleep(ms, signal),
    };
    const one = await router({ store: link.store, clock, leaseMs: 1_000 });
    const [tenant] = tenantsOn(one, 'a', 1) as [number];
    await one.on(tenant).write(db => db.execute(put(tenant, 1)));
    link.isBroken = true;
    const moves = mover();
    const [move] = await moves.move({ kind: 'merge', shards: ['a'], into: 'b' });
    await moves.finish(move!.id);
    link.isBroken = false;
    expect(one.route(tenant).shard).toBe('a');
    stoodStillMs = 2_000;
    const work = vi.fn(async (db: MemoryClient) => {
      const note = await noteOf(db, tenant);
      if (note === undefined) throw new Error('there is no such row');
      return note;
    });
    expect(await one.on(tenant).transaction(work)).toBe('x');
    expect(work).toHaveBeenCalledTimes(2);
  }, 20_000);

  it('costs a read no look-up while it is good, and one while its slot cuts over', async () => {
    const { store, shards, router, mover } = await movingShards();
    const get = vi.fn((key: string) => store.get(key));
    const one = await router({ store: altered(store as Store, { get }) });
    const [moved, other] = [tenantsOn(one, 'a', 1)[0]!, tenantsOn(one, 'b', 1)[0]!];
    const readsOf = async (tenant: number) => {
      const before = get.mock.calls.length;
      await one.on(tenant).read(db => noteOf(db, tenant));
      return get.mock.calls.length - before;
    };
    expect(await readsOf(moved)).toBe(0);
    const inTheMidst: number[] = [];
    const moves = memoryMoves({ shards });
    const backend = altered(moves, {
      async fence(...args) {
        inTheMidst.push(await readsOf(moved), await readsOf(other));
        return moves.fence(...args);
      },
    });
    await mover({ backend }).move({ kind: 'merge', shards: ['a'], into: 'b' });
    // The change to `fence` is followed meanwhile, which is a look-up too
    expect(inTheMidst[0]).toBeGreaterThan(inTheMidst[1]!);
    await vi.waitFor(async () => expect(await readsOf(moved)).toBe(0), { timeout: 15_000 });
  });

  it('ends with the router, so that no move waits for one that was closed', async () => {
    const { store, router, mover } = await movingShards();
    const one = await router();
    const entries = async () => {
      const found: string[] = [];
      for await (const { key } of store.list('shards:shards:routers:')) found.push(key);
      return found;
    };
    expect(await entries()).toHaveLength(1);
    await one.close();
    expect(await entries()).toEqual([]);
    await mover({ routersMs: 0 }).move({ kind: 'merge', shards: ['a'], into: 'b' });
  });
});

describe('a damaged map', () => {
  it('is told, and passed over until it is mended', async () => {
    const { store, router } = await movingShards();
    const one = await router();
    const told: unknown[] = [];
    const note = (message: unknown) => void told.push(message);
    subscribe('ashlar:shard-router:map-refused', note);
    onTestFinished(() => void unsubscribe('ashlar:shard-router:map-refused', note));
    const { value: map } = (await getJson<ShardMap>(store, mapKey))!;
    for (const damaged of [
      { ...map, revision: 2, ranges: [{ from: 5, shard: 'a' }] },
      { ...map, revision: 2, ranges: [{ from: 0, shard: 'z' }] },
      { ...map, revision: 2, moves: [{ id: 'x', from: 'a', to: 'b', step: 'flying', slices: [] }] },
      { ...map, revision: 2, moves: 'none' },
    ]) {
      await setJson(store, mapKey, damaged);
      await vi.waitFor(() => expect(one.snapshot().fault).toBeDefined(), { timeout: 15_000 });
      expect(one.route(1)).toMatchObject({ epoch: 1 });
      await setJson(store, mapKey, map);
      await vi.waitFor(() => expect(one.snapshot().fault).toBeUndefined(), { timeout: 15_000 });
    }
    expect(told).toHaveLength(4);
    expect(told[0]).toMatchObject({ router: 'shards', error: { code: 'ASHLAR_SHARD_ROUTER_MAP' } });
  });
});

describe('a map of a later version', () => {
  it('stops a router when its lease ends, and movers at once', async () => {
    const { store, router, mover } = await movingShards();
    const one = await router({ leaseMs: 500 });
    const { value: map } = (await getJson<ShardMap>(store, mapKey))!;
    expect(map.format).toBe(1);
    // As it would be misread
    await setJson(store, mapKey, { ...map, format: 2, revision: 2, epoch: 2, mirrors: [{ slot: 0 }] });
    await vi.waitFor(() => expect(one.snapshot()).toMatchObject({ isValid: false }), { timeout: 15_000 });
    const later = {
      code: 'ASHLAR_SHARD_ROUTER_MAP_FORMAT',
      message: expect.stringMatching(/upgrade all routers/),
    };
    await expect(one.on(1).write(db => db.execute(put(1, 1)))).rejects.toMatchObject(later);
    await expect(one.on(1).read(db => noteOf(db, 1))).rejects.toMatchObject({ ...later, format: 2 });
    await expect(mover().move({ kind: 'drain', shard: 'b' })).rejects.toMatchObject(later);
    await expect(router()).rejects.toMatchObject(later);
    // A form that is none is damage
    await setJson(store, mapKey, { ...map, format: 'new', revision: 3 });
    await vi.waitFor(() => expect(one.snapshot().fault).toContain('has no format'), { timeout: 15_000 });
    await setJson(store, mapKey, { ...map, revision: 4 });
    await one.on(1).write(db => db.execute(put(1, 1)));
    expect(await one.on(1).read(db => noteOf(db, 1))).toBe('x');
  });
});

describe('the limits of a move', () => {
  it('opens the fence again when the pause would be too long, and rejects when that comes again and again', async () => {
    const { shards, router, mover } = await movingShards();
    const one = await router();
    const [tenant] = tenantsOn(one, 'a', 1) as [number];
    const moves = memoryMoves({ shards });
    let attempts = 0;
    const backend = altered(moves, {
      async drain(_move, { signal }) {
        attempts++;
        await expect(shards['a']!.write(db => db.execute(put(tenant, 1)))).rejects.toThrow();
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      },
    });
    const slow = mover({ backend, pauseMs: 20, attempts: 2, random: () => 0 });
    await expect(slow.move({ kind: 'merge', shards: ['a'], into: 'b' })).rejects.toMatchObject({
      code: 'ASHLAR_SHARD_ROUTER_CUTOVER',
      message: expect.stringContaining('within a pause of 20 ms'),
    });
    expect(attempts).toBe(2);
    await shards['a']!.write(db => db.execute(put(tenant, 1)));
    const { map } = await slow.status();
    expect(map.moves).toMatchObject([{ step: 'ready' }]);
    // Another process goes on with it
    expect(await mover().run(map.moves[0]!.id).done).toMatchObject({ step: 'committed' });
  });

  it('counts as a pause only what keeps writes waiting, not what is compared before', async () => {
    const { shards, router, mover } = await movingShards();
    await router();
    const clock = new ManualClock();
    const moves = memoryMoves({ shards, clock });
    const backend = altered(moves, {
      async fence(move, context, withinMs) {
        await clock.sleep(5_000);
        await moves.fence(move, context, withinMs);
      },
    });
    const one = mover({ backend, clock, pauseMs: 500, attempts: 1 });
    const [moving] = await one.begin({ kind: 'merge', shards: ['a'], into: 'b' });
    const run = one.run(moving!.id);
    let isOver = false;
    const over = run.done.finally(() => {
      isOver = true;
    });
    const paused: number[] = [];
    const reading = (async () => {
      for await (const { pauseMs } of run) if (pauseMs !== undefined) paused.push(pauseMs);
    })();
    while (!isOver && clock.now() < 60_000) await clock.advance(50);
    expect(await over).toMatchObject({ step: 'committed' });
    await reading;
    expect(paused).toHaveLength(1);
    expect(paused[0]).toBeLessThanOrEqual(500);
  });

  it('is no further behind than its rows are on the way, however many are written', async () => {
    const { shards, router, mover } = await movingShards();
    const one = await router();
    const [tenant] = tenantsOn(one, 'a', 1) as [number];
    const clock = new ManualClock();
    const backend = memoryMoves({ shards, clock, transport: () => clock.sleep(40) });
    const run = mover({ backend, clock, steadyMs: 100 }).move({ kind: 'merge', shards: ['a'], into: 'b' });
    let isOver = false;
    const over = run.finally(() => {
      isOver = true;
    });
    // There is always something on the way
    for (let id = 0; !isOver && clock.now() < 5_000; id++) {
      void one.on(tenant).write(db => db.execute(put(tenant, id)));
      await clock.advance(7);
    }
    expect(clock.now()).toBeLessThan(2_000);
    await over;
  });

  it('undoes a move for which the source keeps too much log', async () => {
    const { shards, router, mover } = await movingShards();
    await router();
    const backend = altered(memoryMoves({ shards }), {
      lag: async () => ({ lagMs: 1_000, retainedBytes: 2_000 }),
    });
    const moves = mover({ backend, retainedBytes: 1_999 });
    const moving = moves.move({ kind: 'merge', shards: ['a'], into: 'b' });
    await expect(moving).rejects.toThrow(MoveAbortedError);
    await expect(moving).rejects.toThrow(/keeps 2000 bytes of log for it, more than 1999/);
    expect(await moves.status()).toMatchObject({ map: { moves: [] }, leaks: { a: [], b: [] } });
  });

  it('opens the fence when a step fails in the pause, whatever it throws', async () => {
    const { shards, router, mover } = await movingShards();
    const one = await router();
    const [tenant] = tenantsOn(one, 'a', 1) as [number];
    for (const step of ['fence', 'drain', 'recheck'] as const) {
      const boom = new Error(`boom in ${step}`);
      const moves = memoryMoves({ shards });
      const failing = altered(moves, {
        [step]: async (...args: Parameters<typeof moves.fence>) => {
          await moves[step](...args);
          throw boom;
        },
      });
      const bad = mover({ backend: failing });
      await expect(bad.move({ kind: 'merge', shards: ['a'], into: 'b' })).rejects.toBe(boom);
      await shards['a']!.write(db => db.execute(put(tenant, 1)));
      const { map } = await bad.status();
      expect(map.moves).toMatchObject([{ step: 'ready' }]);
      await mover().abort(map.moves[0]!.id);
    }
  });

  it('starts the copy over when the target has lost its source', async () => {
    const { shards, router, mover } = await movingShards();
    const one = await router();
    const [tenant] = tenantsOn(one, 'a', 1) as [number];
    await one.on(tenant).write(db => db.execute(put(tenant, 1)));
    const moves = memoryMoves({ shards });
    const copy = vi.fn(moves.copy.bind(moves));
    const lossy = <A extends unknown[], R>(step: (...args: A) => Promise<R>) => {
      let losses = 0;
      return async (...args: A) => {
        if (losses++ < 2) throw new LostCopyError('it', 'the source failed over');
        return step.apply(moves, args);
      };
    };
    const backend = altered(moves, { copy, verify: lossy(moves.verify), drain: lossy(moves.drain) });
    await mover({ backend }).move({ kind: 'merge', shards: ['a'], into: 'b' });
    expect(copy).toHaveBeenCalledTimes(5);
    expect(await one.on(tenant).read(db => noteOf(db, tenant))).toBe('x');
  });
});
