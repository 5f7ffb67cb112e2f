import { describe, expect, it } from 'vitest';
import { InvalidShardKeyError, WrongShardError } from '../../src/errors/routing.ts';
import { ShardIds } from '../../src/ids/shard-ids.ts';
import { noteOf, put } from '../support/moving-shards.ts';
import { begunRead, filled, tenantsIn } from './tenants.ts';

const layout = {
  kind: 'range',
  parts: [
    { to: 50, shard: 'a' },
    { from: 50, shard: 'b' },
  ],
} as const;

describe('slots that are joined', () => {
  it('are one range again, which moves with all its keys past the fences of its parts', async () => {
    const { shards, one, mover } = await filled({ layout });
    const moves = mover();
    const moved = async (request: Parameters<typeof moves.move>[0]) => {
      for (const { id } of await moves.move(request)) await moves.finish(id);
    };
    await moved({ kind: 'cut', at: 20, to: 'c' });
    await moved({ kind: 'place', key: 30, to: 'b' });
    // The numbers of both are in the fences of a
    await expect(moves.begin({ kind: 'join', at: 20 })).rejects.toMatchObject({
      code: 'ASHLAR_CORE_INVALID_OPTION',
      message: expect.stringContaining('move one of them first'),
    });
    await moved({ kind: 'place', key: 30, to: 'c' });
    expect(await moves.move({ kind: 'join', at: 30 })).toEqual([]);
    expect(await moves.move({ kind: 'join', at: 30 })).toEqual([]);
    await expect.poll(() => one.route(30).slot === one.route(40).slot).toBe(true);
    await moved({ kind: 'cut', at: 0, to: 'c' });
    await moves.begin({ kind: 'join', at: 20 });
    await expect.poll(() => one.explain(10).words).toContain('the keys before "50", from "0"');
    expect(await tenantsIn(shards['c']!)).toEqual([0, 10, 20, 30, 40]);
    // And all of it back to where its parts are gone from
    await moved({ kind: 'merge', shards: ['c'], into: 'a' });
    for (const tenant of [0, 10, 20, 30, 40])
      await shards['a']!.write(db => db.execute(put(tenant, 1, 'back')));
    for (const tenant of [0, 20, 30])
      await expect(shards['c']!.write(db => db.execute(put(tenant, 1)))).rejects.toThrow(WrongShardError);
    expect(await one.on(30).read(db => noteOf(db, 30))).toBe('back');
    expect(await tenantsIn(shards['c']!)).toEqual([]);
    expect(Object.values((await moves.status()).leaks).flat()).toEqual([]);
  });

  it('are not joined while one of them moves, or can be rolled back', async () => {
    const { mover } = await filled({ layout });
    const moves = mover();
    const [moved] = await moves.move({ kind: 'cut', at: 20, to: 'b' });
    await expect(moves.begin({ kind: 'join', at: 20 })).rejects.toThrow('move one of them');
    await expect(moves.begin({ kind: 'join', at: 50 })).rejects.toThrow(
      'that is to be joined is at the step committed',
    );
    await moves.finish(moved!.id);
    await moves.begin({ kind: 'join', at: 50 });
    const { joins } = await moves.map();
    await expect(
      moves.begin({
        kind: 'move',
        from: 'b',
        to: 'c',
        slices: [{ from: joins![0]!.slot, to: joins![0]!.slot + 1 }],
      }),
    ).rejects.toThrow(`was joined to ${joins![0]!.into}`);
  });

  it('answer work that began before on what is one of them now', async () => {
    const { one, router, mover } = await filled({ layout });
    const other = await router({ layout });
    const moves = mover();
    await moves.begin({ kind: 'cut', at: 20 });
    await expect.poll(() => other.route(30).slot).toBe(3);
    const reading = begunRead(other, 30);
    const [moved] = await moves.move({ kind: 'cut', at: 20, to: 'b' });
    await one.on(30).write(db => db.execute(put(30, 1, 'new')));
    await moves.finish(moved!.id);
    await moves.begin({ kind: 'join', at: 50 });
    await expect.poll(() => other.route(30).slot === other.route(60).slot).toBe(true);
    reading.goOn();
    expect(await reading.done).toBe('new');
    expect(reading.runs).toBe(2);
  });

  it('have the ids of their parts', async () => {
    const { one, mover, store } = await filled({ layout });
    const moves = mover();
    await moves.begin({ kind: 'cut', at: 20 });
    await expect.poll(() => one.route(30).slot).toBe(3);
    const ids = new ShardIds({ router: one, store });
    const [low, high] = [await ids.next(7), await ids.next(30)];
    await moves.begin({ kind: 'join', at: 20 });
    await expect.poll(() => one.route(7).slot === one.route(30).slot).toBe(true);
    expect([low, high].map(id => one.routeId(id).shard)).toEqual(['a', 'a']);
    await moves.move({ kind: 'cut', at: 25, to: 'c' });
    await expect.poll(() => one.route(30).shard).toBe('c');
    // What it was joined to is cut elsewhere: their numbers do not say where a row is
    for (const id of [low, high]) expect(() => one.routeId(id)).toThrow(InvalidShardKeyError);
  });
});
