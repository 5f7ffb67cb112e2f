import { describe, expect, it } from 'vitest';
import { FenceBusyError, MoveRefusedError } from '../../src/errors/moves.ts';
import { UnplacedKeyError, WrongShardError } from '../../src/errors/routing.ts';
import { ShardIds } from '../../src/ids/shard-ids.ts';
import { memoryMoves } from '../../src/memory/memory-moves.ts';
import { Mover } from '../../src/moves/mover.ts';
import { altered } from '../support/altered.ts';
import { noteOf, put, tables } from '../support/moving-shards.ts';
import { filled, layout, remove, tenantsIn } from './tenants.ts';

describe('an entry of a directory', () => {
  it('is forgotten when its shard has no rows of it, and its number is the next one’s', async () => {
    const { shards, one, mover } = await filled({ layout });
    const moves = mover();
    await expect(moves.forget(30)).rejects.toMatchObject({
      code: 'ASHLAR_SHARD_ROUTER_MOVE_REFUSED',
      obstacles: [{ kind: 'rows', shard: 'a', table: 'orders' }],
    });
    // As before
    await one.on(30).write(db => db.execute(put(30, 2)));
    expect(await one.on(30).write(db => remove(db, 30))).toBe(2);
    await moves.forget(30);
    await moves.forget(30);
    await expect.poll(() => one.snapshot().map?.epoch).toBe(2);
    expect(() => one.route(30)).toThrow(UnplacedKeyError);
    await expect(shards['a']!.write(db => db.execute(put(30, 1)))).rejects.toThrow(WrongShardError);
    await expect(async () => one.on(30).write(db => db.execute(put(30, 1)))).rejects.toThrow(
      UnplacedKeyError,
    );
    const { slots } = await moves.map();
    for (const [key, to] of [
      [33, 'b'],
      [30, 'a'],
    ] as const) {
      await moves.begin({ kind: 'place', key, to });
      await expect
        .poll(() => one.snapshot().map?.layout)
        .toMatchObject({
          entries: expect.arrayContaining([{ key: [String(key)], slot: expect.any(Number) }]),
        });
      await one.on(key).write(db => db.execute(put(key, 1, 'again')));
      expect(one.route(key).shard).toBe(to);
    }
    expect((await moves.map()).slots).toBe(slots + 1);
    expect(one.route(33).slot).toBe(3);
    expect(await tenantsIn(shards['a']!)).toEqual([0, 10, 20, 30, 40]);
    await expect(shards['a']!.write(db => db.execute(put(40, 2)))).resolves.toBeDefined();
    expect((await moves.status()).leaks).toEqual({ a: [], b: [] });
  });

  it('is forgotten with rows on request, which are there when it is placed there again', async () => {
    const { one, mover, store } = await filled({ layout });
    const moves = mover();
    const id = await new ShardIds({ router: one, store }).next(70);
    await moves.forget(70, { rows: 'keep' });
    await expect.poll(() => one.snapshot().map?.epoch).toBe(2);
    // Its number is in ids of rows that there are
    await moves.begin({ kind: 'place', key: 7, to: 'a' });
    await expect.poll(() => one.snapshot().map?.slots).toBe(11);
    expect(() => one.routeId(id)).toThrow('an id whose slot');
    await moves.begin({ kind: 'place', key: 70, to: 'b' });
    await expect.poll(() => one.snapshot().map?.layout).not.toHaveProperty('spent');
    expect([(await moves.map()).slots, one.routeId(id).shard]).toEqual([11, 'b']);
    expect(await one.on(70).read(db => noteOf(db, 70))).toBe('x');
    await one.on(70).write(db => db.execute(put(70, 1, 'again')));
    expect(await one.on(70).read(db => noteOf(db, 70))).toBe('again');
  });

  it('stays while it moves, while a transaction on its table is open, and in other maps', async () => {
    const { one, mover } = await filled({ layout });
    const moves = mover();
    await one.on(30).write(db => remove(db, 30));
    const [moved] = await moves.move({ kind: 'place', key: 30, to: 'b' });
    await expect(moves.forget(30)).rejects.toThrow('at the step committed');
    await moves.finish(moved!.id);
    let end!: () => void;
    const open = one.transaction(90, async () => new Promise<void>(resolve => (end = resolve)));
    await expect.poll(() => end !== undefined).toBe(true);
    await expect(moves.forget(30)).rejects.toThrow(FenceBusyError);
    end();
    await open;
    await moves.forget(30);
    await expect.poll(() => one.snapshot().map?.epoch).toBe(3);

    const ranges = await filled({});
    await expect(ranges.mover().forget(30)).rejects.toMatchObject({
      option: 'key',
      message: /not in a directory/,
    });
    const rest = await filled({ layout: { ...layout, rest: 'c' } });
    await expect(rest.mover().forget(30)).rejects.toThrow('`join` gives this one to them');
  });

  it('joins the rest on its shard, with its rows', async () => {
    const { shards, one, mover } = await filled({ layout: { ...layout, rest: 'b' } });
    const moves = mover();
    await expect(moves.begin({ kind: 'join', at: 30 })).rejects.toThrow('move one of them first');
    const [moved] = await moves.move({ kind: 'place', key: 30, to: 'b' });
    await moves.finish(moved!.id);
    await moves.begin({ kind: 'join', at: 30 });
    await expect.poll(() => one.route(30).slot === one.route(7).slot).toBe(true);
    const [back] = await moves.move({ kind: 'move', from: 'b', to: 'a', slices: [{ from: 10, to: 11 }] });
    await moves.finish(back!.id);
    expect(await tenantsIn(shards['a']!)).toEqual([0, 10, 20, 30, 40]);
    await one.on(30).write(db => db.execute(put(30, 1, 'new')));
    expect(await shards['a']!.read(db => noteOf(db, 30))).toBe('new');
  });

  it('may be written again when the change of the map is refused, and stays forgotten when its answer is lost', async () => {
    const { shards, one, store, mover } = await filled({ layout });
    await one.on(30).write(db => remove(db, 30));
    const backend = memoryMoves({ shards });
    const other = mover();
    // Another begins to move it, right after its shard has closed the fence
    const racing = altered(backend, {
      retire: async (...args: Parameters<NonNullable<typeof backend.retire>>) => {
        const tables = await backend.retire!(...args);
        await other.begin({ kind: 'place', key: 30, to: 'b' });
        return tables;
      },
    });
    const first = new Mover({ backend: racing, store, tables });
    await expect(first.forget(30)).rejects.toThrow(MoveRefusedError);
    await first.close();
    await shards['a']!.write(db => db.execute(put(30, 1)));
    const [move] = (await other.map()).moves;
    await other.abort(move!.id);
    await one.on(30).write(db => remove(db, 30));

    const lossy = altered(store, {
      set: async (...args: Parameters<typeof store.set>) => {
        await store.set(...args);
        if (args[0].endsWith(':map')) throw new Error('the answer is lost');
        return undefined as never;
      },
    });
    const second = new Mover({ backend, store: lossy, tables });
    await expect(second.forget(30)).rejects.toThrow('the answer is lost');
    await second.close();
    await expect(shards['a']!.write(db => db.execute(put(30, 1)))).rejects.toThrow(WrongShardError);
    await other.forget(30);
    await expect.poll(() => one.snapshot().map?.layout).toMatchObject({ free: [{ key: ['30'], slot: 3 }] });
  });

  it('is placed elsewhere as soon as routers have heard of it, however seldom they renew their entries', async () => {
    const { one, mover } = await filled({ layout, leaseMs: 3_600_000 });
    const moves = mover({ routersMs: 10_000 });
    await one.on(30).write(db => remove(db, 30));
    await moves.forget(30);
    await moves.begin({ kind: 'place', key: 30, to: 'c' });
    await expect.poll(() => one.route(30).shard).toBe('c');
  });

  it('is not placed elsewhere before all routers know that it was forgotten', async () => {
    const { one, store, mover } = await filled({ layout });
    await one.on(30).write(db => remove(db, 30));
    const moves = mover({ routersMs: 200 });
    // A router that stands still, as its entry says
    const entry = JSON.stringify({ revision: 1, shards: ['a', 'b', 'c'] });
    await store.set('shards:shards:routers:still', Buffer.from(entry));
    await moves.forget(30);
    await expect(moves.begin({ kind: 'place', key: 30, to: 'c' })).rejects.toThrow(
      /not confirmed revision 2.*still/,
    );
    await store.delete('shards:shards:routers:still');
    await mover().begin({ kind: 'place', key: 30, to: 'c' });
    await expect.poll(() => one.snapshot().map?.layout).toMatchObject({ forgotAt: 2 });
  });
});
