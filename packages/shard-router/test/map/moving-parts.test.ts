import { describe, expect, it } from 'vitest';
import { MoveRefusedError } from '../../src/errors/moves.ts';
import {
  InvalidShardKeyError,
  ShardMapError,
  UnplacedKeyError,
  WrongShardError,
} from '../../src/errors/routing.ts';
import { ShardIds } from '../../src/ids/shard-ids.ts';
import { noteOf, put, rowsOf } from '../support/moving-shards.ts';
import { begunRead, filled, tenantsIn } from './tenants.ts';

const byRange = {
  layout: {
    kind: 'range',
    parts: [
      { to: 50, shard: 'a' },
      { from: 50, shard: 'b' },
    ],
  },
} as const;

describe('a map of ranges', () => {
  it('has a range cut and moved, and brought back past the fences of before', async () => {
    const { shards, one, mover } = await filled(byRange);
    const moves = mover();
    expect(one.explain(7).words).toBe(
      'slot 0 of 2, which has the keys before "50", is on shard a in epoch 1',
    );
    const [moved] = await moves.move({ kind: 'cut', at: 20, to: 'c' });
    await moves.finish(moved!.id);
    expect(await tenantsIn(shards['a']!)).toEqual([0, 10]);
    expect(await tenantsIn(shards['c']!)).toEqual([20, 30, 40]);
    expect(await one.on(30).read(db => noteOf(db, 30))).toBe('x');
    // Cut again where it is: what comes back is less than what has gone
    const [back] = await moves.move({ kind: 'cut', at: 30, to: 'a' });
    await moves.finish(back!.id);
    await one.on(40).write(db => db.execute(put(40, 1, 'again')));
    expect(await shards['a']!.read(db => noteOf(db, 40))).toBe('again');
    await expect(shards['a']!.write(db => db.execute(put(25, 1)))).rejects.toThrow(WrongShardError);
    await expect(shards['c']!.write(db => db.execute(put(40, 1)))).rejects.toThrow(WrongShardError);
    expect(await tenantsIn(shards['c']!)).toEqual([20]);
    expect((await moves.status()).leaks).toEqual({ a: [], b: [], c: [] });
  });

  it('is not cut within a slot that moves, and a plan changes nothing', async () => {
    const { one, mover } = await filled(byRange);
    const moves = mover();
    const before = await moves.map();
    const [plan] = await moves.plan({ kind: 'cut', at: 20, to: 'c' });
    expect(plan).toMatchObject({ from: 'a', to: 'c', tables: [{ rows: 3 }], obstacles: [] });
    expect(await moves.map()).toEqual(before);
    await moves.begin({ kind: 'cut', at: 20, to: 'c' });
    await expect(moves.begin({ kind: 'cut', at: 30, to: 'b' })).rejects.toThrow('that is to be cut');
    await expect(moves.begin({ kind: 'cut', at: 30 })).rejects.toThrow(MoveRefusedError);
    await expect(
      moves.begin({ kind: 'move', from: 'a', to: 'c', slices: [{ from: 0, to: 1 }] }),
    ).rejects.toThrow('slot 0 was cut into 2 and 3');
    expect(one.snapshot().fault).toBeUndefined();
  });

  it('is answered by all routers alike, also in work that began before the cut', async () => {
    const { one, router, mover } = await filled(byRange);
    const other = await router(byRange);
    const moves = mover();
    const reading = begunRead(other, 30);
    const [moved] = await moves.move({ kind: 'cut', at: 20, to: 'c' });
    await one.on(30).write(db => db.execute(put(30, 1, 'new')));
    reading.goOn();
    expect(await reading.done).toBe('new');
    expect(reading.runs).toBe(2);
    await moves.rollback(moved!.id);
    expect(other.route(30).shard).toBe('a');
  });

  it('is refused by a router that has keys by hash, or ranges with a gap', async () => {
    const { router } = await filled(byRange);
    await expect(router()).rejects.toThrow(ShardMapError);
    const layout = {
      kind: 'range',
      parts: [
        { to: 5, shard: 'a' },
        { from: 6, shard: 'b' },
      ],
    } as const;
    await expect(router({ layout })).rejects.toMatchObject({ code: 'ASHLAR_CORE_INVALID_OPTION' });
  });

  it('says which ids it cannot route any more', async () => {
    const { one, mover, store } = await filled(byRange);
    const ids = new ShardIds({ router: one, store });
    const [low, high] = [await ids.next(7), await ids.next(30)];
    await mover().begin({ kind: 'cut', at: 20 });
    expect(one.routeId(low).shard).toBe('a');
    await mover().move({ kind: 'cut', at: 20, to: 'c' });
    for (const id of [low, high]) expect(() => one.routeId(id)).toThrow(InvalidShardKeyError);
    expect(one.routeId(await ids.next(30)).shard).toBe('c');
  });
});

describe('a tenant', () => {
  it('of a map by hash gets a slot of its own, and a shard of its own', async () => {
    const { shards, one, mover } = await filled({}, ['a', 'b']);
    const from = one.route(30).shard;
    const moves = mover();
    const [moved] = await moves.move({ kind: 'place', key: 30, to: 'c' });
    await moves.finish(moved!.id);
    expect(await tenantsIn(shards['c']!)).toEqual([30]);
    expect(one.route(30)).toMatchObject({ shard: 'c', slot: 17 });
    for (const { id } of await moves.move({ kind: 'isolate', key: 30, to: from })) await moves.finish(id);
    expect(await tenantsIn(shards[from]!)).toEqual([30]);
    for (let tenant = 0; tenant < 100; tenant += 10) {
      expect(await one.on(tenant).read(db => noteOf(db, tenant))).toBe('x');
      await one.on(tenant).write(db => db.execute(put(tenant, 1)));
    }
    const { rows } = await shards[from]!.read(db => db.execute(rowsOf()));
    expect(rows).toHaveLength(1);
  });

  it('of a directory is moved, and a new one is placed where it is to be', async () => {
    const layout = {
      kind: 'directory',
      entries: Array.from({ length: 10 }, (_, i) => ({ key: i * 10, shard: 'a' })),
    } as const;
    const { shards, one, mover } = await filled({ layout });
    const moves = mover();
    const [moved] = await moves.move({ kind: 'place', key: 30, to: 'b' });
    await moves.finish(moved!.id);
    expect(await tenantsIn(shards['b']!)).toEqual([30]);
    await expect(async () => one.on(7).write(db => db.execute(put(7, 1)))).rejects.toThrow(UnplacedKeyError);
    expect(await moves.begin({ kind: 'place', key: 7, to: 'c' })).toEqual([]);
    expect(await moves.begin({ kind: 'place', key: 7, to: 'c' })).toEqual([]);
    await expect(moves.begin({ kind: 'place', key: 8, to: 'elsewhere' })).rejects.toThrow(
      'do not know the shard elsewhere',
    );
    await expect.poll(() => one.snapshot().map?.slots).toBe(11);
    await one.on(7).write(db => db.execute(put(7, 1)));
    expect(await tenantsIn(shards['c']!)).toEqual([7]);
  });
});
