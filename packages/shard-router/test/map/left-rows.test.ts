import { memoryStore } from '@ashlar/store';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MoveRefusedError } from '../../src/errors/moves.ts';
import { UnplacedKeyError, WrongShardError } from '../../src/errors/routing.ts';
import { memoryMoves } from '../../src/memory/memory-moves.ts';
import { memoryShards } from '../../src/memory/memory-shard.ts';
import { Mover } from '../../src/moves/mover.ts';
import { ShardRouter } from '../../src/router.ts';
import { noteOf, put, rowsOf } from '../support/moving-shards.ts';
import { filled, layout, remove, tenantsIn } from './tenants.ts';

describe('rows that `forget` has left', () => {
  it('are in the way of a move to their shard until they are purged', async () => {
    const { shards, one, mover } = await filled({ layout });
    const moves = mover();
    await moves.forget(70, { rows: 'keep' });
    await moves.begin({ kind: 'place', key: 70, to: 'a' });
    await expect.poll(() => one.snapshot().map?.layout).not.toHaveProperty('spent');
    await one.on(70).write(db => db.execute(put(70, 2, 'new')));
    await expect(moves.move({ kind: 'place', key: 70, to: 'b' })).rejects.toMatchObject({
      obstacles: [{ kind: 'rows_at_target', shard: 'b', words: expect.stringContaining('`purge`') }],
    });
    await expect(shards['b']!.write(db => remove(db, 70))).rejects.toThrow(WrongShardError);
    expect(await moves.purge(70, 'b')).toBe(1);
    expect(await moves.purge(70, 'b')).toBe(0);
    const [moved] = await moves.move({ kind: 'place', key: 70, to: 'b' });
    await moves.finish(moved!.id);
    const { rows } = await one.on(70).read(db => db.execute(rowsOf(70)));
    expect(rows).toMatchObject([{ id: 2, note: 'new' }]);
    expect(await tenantsIn(shards['a']!)).toEqual([0, 10, 20, 30, 40]);
  });

  it('are not purged where the map has them, while they move, or where nobody refuses them', async () => {
    const { one, mover, shards } = await filled({ layout });
    const moves = mover();
    await expect(moves.purge(70, 'b')).rejects.toMatchObject({ obstacles: [{ kind: 'owner', shard: 'b' }] });
    await expect(moves.purge(70, 'a')).rejects.toMatchObject({ obstacles: [{ kind: 'not_gone' }] });
    const [moved] = await moves.move({ kind: 'place', key: 70, to: 'a' });
    // Its old source follows, for a rollback
    await expect(moves.purge(70, 'b')).rejects.toMatchObject({ obstacles: [{ kind: 'moving' }] });
    await moves.finish(moved!.id);
    expect(await moves.purge(70, 'b')).toBe(0);
    expect(await moves.purge(7, 'b')).toBe(0);
    expect(await one.on(70).read(db => noteOf(db, 70))).toBe('x');
    expect(await tenantsIn(shards['b']!)).toEqual([50, 60, 80, 90]);
    const ranges = await filled({});
    await expect(ranges.mover().purge(70, 'b')).rejects.toMatchObject({ option: 'key' });
  });

  it('weigh nothing in a plan by size', async () => {
    const { mover } = await filled({ layout });
    const moves = mover();
    await moves.forget(70, { rows: 'keep' });
    const [plan] = await moves.plan({ kind: 'rebalance', by: 'size', shards: ['a', 'b', 'c'] });
    expect(plan).toMatchObject({ to: 'c' });
  });
});

describe('the shard of a key that was forgotten', () => {
  it('refuses it still when another key there has got its number', async () => {
    const { shards, one, mover } = await filled({ layout });
    const moves = mover();
    await one.on(30).write(db => remove(db, 30));
    const { slots } = await moves.map();
    await moves.forget(30);
    await moves.begin({ kind: 'place', key: 33, to: 'a' });
    await expect.poll(() => one.snapshot().map?.epoch).toBe(2);
    await expect.poll(() => one.snapshot().map?.slots).toBe(slots);
    await one.on(33).write(db => db.execute(put(33, 1)));
    // Of a writer that goes past the routers, and knows nothing of all that
    const old = () => shards['a']!.write(db => db.execute(put(30, 9, 'late')));
    await expect(old()).rejects.toThrow(WrongShardError);
    await moves.begin({ kind: 'place', key: 30, to: 'b' });
    await expect.poll(() => one.snapshot().map?.slots).toBe(slots + 1);
    await one.on(30).write(db => db.execute(put(30, 1, 'again')));
    for (const { id } of await moves.move({ kind: 'place', key: 40, to: 'c' })) await moves.finish(id);
    await expect(old()).rejects.toThrow(WrongShardError);
    for (const { id } of await moves.move({ kind: 'place', key: 30, to: 'a' })) await moves.finish(id);
    expect(await one.on(30).read(db => noteOf(db, 30))).toBe('again');
    await old();
    await expect(shards['b']!.write(db => db.execute(put(30, 9)))).rejects.toThrow(WrongShardError);
  });

  it('is that of one map: another one on the same shards has other slots', async () => {
    const { shards, mover, store, router, one } = await filled({ layout });
    const moves = mover();
    await moves.move({ kind: 'place', key: 0, to: 'c' }).then(([moved]) => moves.finish(moved!.id));
    const spec = { key: ['part'], primaryKey: ['part'], columns: { part: 'int8' } } as const;
    const parts = [
      { to: 50, shard: 'b' },
      { from: 50, shard: 'a' },
    ];
    const other = await router({ name: 'other', tables: { parts: spec }, layout: { kind: 'range', parts } });
    const its = mover({ name: 'other', tables: { parts: spec } });
    await other.table('parts' as never).insert({ part: 7 } as never);
    await its.move({ kind: 'move', from: 'b', to: 'a' }).then(([moved]) => its.finish(moved!.id));
    await expect(shards['a']!.write(db => db.execute(put(0, 1)))).rejects.toThrow(WrongShardError);
    for (const tenant of [0, 10, 90]) await one.on(tenant).write(db => db.execute(put(tenant, 2)));
    expect(store).toBeDefined();
  });
});

describe('a table that was forgotten', () => {
  it('is in no way of the others, and comes back with another number', async () => {
    const spec = { key: [], primaryKey: ['id'], columns: { id: 'int8' } } as const;
    const tables = { orders: spec, events: spec, more: spec } as const;
    const store = memoryStore();
    const shards = memoryShards(['main', 'log']);
    const layout = { kind: 'tables', tables: { orders: 'main', events: 'main' } } as const;
    const router = new ShardRouter({ shards, store, name: 'tables', key: 'text', tables, layout });
    const mover = new Mover({
      store,
      name: 'tables',
      tables,
      backend: memoryMoves({ shards }),
      steadyMs: 0,
    });
    onTestFinished(async () => {
      await mover.close();
      await router.close();
      await store.close();
    });
    await router.ready();
    await router.table('orders').insert({ id: 1 });
    await mover.forget('events');
    const [moved] = await mover.move({ kind: 'tables', tables: ['orders'], to: 'log' });
    await mover.finish(moved!.id);
    await mover.begin({ kind: 'place', key: 'more', to: 'main' });
    await mover.begin({ kind: 'place', key: 'events', to: 'main' });
    await expect.poll(() => router.snapshot().map?.slots).toBe(3);
    for (const name of ['more', 'events', 'orders'] as const) await router.table(name).insert({ id: 2 });
    expect(router.route('more').slot).toBe(1);
  });
});

it('a key that is forgotten is refused by the router until it is placed', async () => {
  const { one, mover } = await filled({ layout });
  await mover().forget(70, { rows: 'keep' });
  await expect.poll(() => one.snapshot().map?.epoch).toBe(2);
  expect(() => one.explain(70)).toThrow(UnplacedKeyError);
  await expect(
    mover().move({ kind: 'move', from: 'b', to: 'a', slices: [{ from: 7, to: 8 }] }),
  ).rejects.toThrow(MoveRefusedError);
});
