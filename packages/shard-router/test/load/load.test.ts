import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { seededRandom } from '@ashlar/core';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { HotMessage } from '../../src/diagnostics.ts';
import { HeavyKeys } from '../../src/load/heavy-keys.ts';
import { Load } from '../../src/load/load.ts';
import { loadWeights } from '../../src/load/weights.ts';
import { firstMap } from '../../src/map/first-map.ts';
import { Routes } from '../../src/map/routes.ts';
import { withOwnSlot } from '../../src/moves/parts/parting.ts';
import { slotMoves } from '../../src/moves/planner.ts';
import { movingShards, put } from '../support/moving-shards.ts';

/** A clock that stands still, but for the test. */
function counting(routes: Routes, windowMs = 60_000) {
  let now = 0;
  const clock = { now: () => now, sleep: () => Promise.resolve() };
  const load = new Load({
    router: 'shards',
    clock,
    windowMs,
    hotShare: 0.1,
    routes: () => routes,
    random: seededRandom(3),
  });
  const count = (key: number) => load.count(routes.of(key).slot, key);
  const wait = (ms: number) => {
    now += ms;
  };
  return { load, count, wait };
}

describe('the load of a router', () => {
  const routes = new Routes(firstMap('int8', 64, ['a', 'b']), 0);

  it('is counted by shard, slot and key, in calls a second', () => {
    const { load, count, wait } = counting(routes);
    for (let call = 0; call < 10_000; call++) {
      count(call % 5 === 0 ? 7 : call);
      if (call % 10 === 9) wait(1);
    }
    const { forMs, perSecond, shards, slots, keys } = load.snapshot();
    expect({ forMs, perSecond }).toEqual({ forMs: 1_000, perSecond: 10_000 });
    expect(shards['a']! + shards['b']!).toBeCloseTo(10_000);
    expect(slots[0]).toMatchObject({ slot: routes.of(7).slot, shard: routes.of(7).shard });
    expect(slots[0]!.perSecond).toBeGreaterThan(2_000);
    // One in sixteen keys is looked at
    expect(keys[0]).toMatchObject({ key: '7', shard: routes.of(7).shard });
    expect(keys[0]!.perSecond).toBeGreaterThan(1_500);
    expect(keys[0]!.perSecond).toBeLessThan(2_500);
    expect(JSON.parse(JSON.stringify(load.snapshot()))).toEqual(load.snapshot());
  });

  it('is forgotten when its time is over, and what was hot is told', () => {
    const heard: HotMessage[] = [];
    const listen = (message: unknown) => void heard.push(message as HotMessage);
    subscribe('ashlar:shard-router:hot', listen);
    onTestFinished(() => void unsubscribe('ashlar:shard-router:hot', listen));
    const { load, count, wait } = counting(routes, 1_000);
    for (let call = 0; call < 1_000; call++) count(7);
    wait(1_000);
    for (let call = 0; call < 40; call++) count(1);
    expect(heard).toMatchObject([
      { router: 'shards', kind: 'key', key: '7', shard: routes.of(7).shard, share: expect.closeTo(1, 0) },
      { kind: 'slot', slot: routes.of(7).slot, perSecond: expect.closeTo(1_000, -2) },
      { kind: 'shard', shard: routes.of(7).shard },
    ]);
    wait(1_000);
    for (let call = 0; call < 40; call++) count(1);
    wait(1_000);
    for (let call = 0; call < 40; call++) count(1);
    expect(load.snapshot().keys.map(({ key }) => key)).toEqual(['1']);
    expect(heard).toHaveLength(3); // Forty calls are nothing
  });

  it('has every heavy key among few counters, and no count that is too high', () => {
    const keys = new HeavyKeys(64);
    const truth = new Map<string, number>();
    const random = seededRandom(5);
    for (let i = 0; i < 50_000; i++) {
      // Three heavy keys among many
      const key = random() < 0.1 ? `heavy ${i % 3}` : String(Math.floor(random() * 1e6));
      truth.set(key, (truth.get(key) ?? 0) + 1);
      keys.add(key, 1);
    }
    const top = keys.top();
    expect(top).toHaveLength(64);
    for (const { key, count, error } of top) {
      expect(count).toBeGreaterThanOrEqual(truth.get(key)!);
      expect(count - error).toBeLessThanOrEqual(truth.get(key)!);
    }
    expect(new Set(top.slice(0, 3).map(({ key }) => key))).toEqual(
      new Set(['heavy 0', 'heavy 1', 'heavy 2']),
    );
  });

  it('is not counted twice, and says nothing of keys that a map does not have', async () => {
    const { router } = await movingShards();
    const one = await router();
    await one.on(7).write(db => db.execute(put(7, 1)));
    await one.on(7).read(async () => undefined);
    const { load } = one.snapshot();
    const all = Object.values(load.shards).reduce((sum, each) => sum + each, 0);
    expect(all * load.forMs).toBeCloseTo(2_000, 3);
    const directory = new Routes(
      firstMap('text', 1, ['a'], { kind: 'directory', entries: [{ key: 'x', shard: 'a' }] }),
      0,
    );
    const counted = new Load({
      router: 'r',
      clock: { now: () => 0, sleep: async () => {} },
      windowMs: 1,
      hotShare: 1,
      routes: () => directory,
      random: () => 0,
    });
    counted.count(0, 'gone');
    expect(counted.snapshot().keys).toEqual([]);
  });
});

describe('a plan', () => {
  it('by load takes what all routers have counted, also of slots that were cut since', async () => {
    const { router, mover } = await movingShards();
    const [one, other] = [await router({ leaseMs: 300 }), await router({ leaseMs: 300 })];
    const hot = [...Array(100).keys()].filter(key => one.route(key).slot === 3 || one.route(key).slot === 4);
    for (const of of [one, other])
      for (const key of hot) for (let i = 0; i < 10; i++) await of.on(key).read(async () => undefined);
    const moves = mover();
    await expect
      .poll(async () =>
        (await moves.plan({ kind: 'rebalance', by: 'load' })).flatMap(({ from, to, slices }) => [
          from,
          to,
          slices,
        ]),
      )
      .toEqual(['a', 'b', [expect.objectContaining({ from: expect.toBeOneOf([3, 4]) })]]);
    const [plan] = await moves.plan({ kind: 'rebalance', by: 'load' });
    expect(plan!.weight).toBeGreaterThan(0);
  });

  it('spreads what routers say only as a sum, and what they say of slots that were cut', () => {
    const cut = withOwnSlot(firstMap('int8', 4, ['a']), 7, undefined);
    const { slots } = new Routes(cut, 0);
    const was = cut.cuts![0]!.slot;
    const weights = loadWeights(slots, [{ slots: [[was, 10]], rest: 3 }]);
    expect(weights.filter(weight => weight === 5)).toHaveLength(2);
    expect(weights.filter(weight => weight === 1)).toHaveLength(3);
    expect(weights[was]).toBe(0);
  });

  it('by size takes the bytes of the shards', async () => {
    const { router, mover } = await movingShards();
    const one = await router();
    const [key] = [...Array(200).keys()].filter(each => one.route(each).slot === 2);
    for (let id = 0; id < 20; id++) await one.on(key!).write(db => db.execute(put(key!, id)));
    const [second] = [...Array(200).keys()].filter(each => one.route(each).slot === 5);
    for (let id = 0; id < 10; id++) await one.on(second!).write(db => db.execute(put(second!, id)));
    const plans = await mover().plan({ kind: 'rebalance', by: 'size' });
    expect(plans).toMatchObject([{ from: 'a', to: 'b', weight: 2_000, slices: [{ from: 2, to: 3 }] }]);
  });

  it('leaves slots in their zone', () => {
    const map = firstMap('int8', 12, ['eu1', 'us1']);
    const zones = { eu1: 'eu', eu2: 'eu', us1: 'us', us2: 'us' };
    const moves = slotMoves(map, { kind: 'rebalance', shards: ['eu1', 'eu2', 'us1', 'us2'], zones });
    expect(moves).toMatchObject([
      { from: 'eu1', to: 'eu2', slices: [{ from: 3, to: 6 }] },
      { from: 'us1', to: 'us2', slices: [{ from: 9, to: 12 }] },
    ]);
    expect(() => slotMoves(map, { kind: 'drain', shard: 'us1', zones })).toThrow('no other shard in us');
    expect(() => slotMoves(map, { kind: 'rebalance', zones: { eu1: 'eu' } })).toThrow('us1 has no zone');
  });
});
