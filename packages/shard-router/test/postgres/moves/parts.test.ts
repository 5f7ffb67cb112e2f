import { memoryStore } from '@ashlar/store';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FenceBusyError } from '../../../src/errors/moves.ts';
import { firstMap, type LayoutSpec } from '../../../src/map/first-map.ts';
import { Maps } from '../../../src/map/maps.ts';
import { Mover } from '../../../src/moves/mover.ts';
import type { MoveRequest } from '../../../src/moves/planner.ts';
import { counts, lowerHalf, type TwoShards, twoShards } from '../shards.ts';

const { tables } = lowerHalf('any');

describe('parts of a map between two databases of PostgreSQL', () => {
  let shards: TwoShards;
  beforeAll(async () => {
    shards = await twoShards({ config: { wal_retrieve_retry_interval: '100ms' } });
  }, 60_000);
  afterAll(() => shards[Symbol.asyncDispose]());

  const customersAt = async (client: pg.Client) =>
    (await client.query('SELECT id FROM customer ORDER BY id COLLATE "C"')).rows
      .map(({ id }) => id)
      .join(' ');
  const write = (client: pg.Client, customer: string) =>
    client.query('INSERT INTO purchase (customer, total) VALUES ($1, 1)', [customer]);
  const refused = { code: 'AS409' };

  /** A map with all of `a` to `f` at shard one, and a mover for it. */
  async function site(layout: LayoutSpec, its = tables) {
    for (const client of [shards.one, shards.two]) {
      await client.query(
        'SET session_replication_role = replica; SET ashlar.mover = on; DELETE FROM purchase; DELETE FROM customer; RESET session_replication_role; RESET ashlar.mover',
      );
    }
    await shards.one.query('DROP SCHEMA IF EXISTS ashlar_shards CASCADE');
    await shards.two.query('DROP SCHEMA IF EXISTS ashlar_shards CASCADE');
    await shards.one.query(
      "INSERT INTO customer SELECT id, upper(id) FROM unnest(string_to_array('a b c d e f', ' ')) id",
    );
    for (const customer of 'abcdef') await write(shards.one, customer);
    const store = memoryStore();
    await new Maps(store, 'shards').readOr(firstMap('text', 16, ['one', 'two'], layout));
    const backend = shards.moves();
    const mover = new Mover({ store, tables: its, backend, steadyMs: 0 });
    const moved = async (request: MoveRequest) => {
      for (const { id } of await mover.move(request)) await mover.finish(id);
    };
    const close = async () => {
      expect(Object.values((await mover.status()).leaks).flat()).toEqual([]);
      await mover.close();
      await store.close();
    };
    return { moved, mover, close, store, backend };
  }

  it('a range is cut, moved, and a part of it brought back past the fence of the whole', async () => {
    const parts = [
      { to: 'm', shard: 'one' },
      { from: 'm', shard: 'two' },
    ];
    const { moved, close } = await site({ kind: 'range', parts });
    await moved({ kind: 'cut', at: 'c', to: 'two' });
    expect([await customersAt(shards.one), await customersAt(shards.two)]).toEqual(['a b', 'c d e f']);
    await expect(write(shards.one, 'c')).rejects.toMatchObject(refused);
    await write(shards.one, 'b');
    await moved({ kind: 'cut', at: 'e', to: 'one' });
    expect([await customersAt(shards.one), await customersAt(shards.two)]).toEqual(['a b e f', 'c d']);
    await write(shards.one, 'e');
    await expect(write(shards.one, 'd')).rejects.toMatchObject(refused);
    await expect(write(shards.two, 'e')).rejects.toMatchObject(refused);
    expect(await counts(shards.one)).toEqual({ customers: 4, purchases: 6 });
    await close();
  }, 90_000);

  it('says what each slot weighs, and what goes where by size', async () => {
    const { mover, close } = await site({
      kind: 'directory',
      entries: [
        { key: 'b', shard: 'one' },
        { key: 'd', shard: 'one' },
      ],
      rest: 'one',
    });
    await shards.one.query(
      "INSERT INTO purchase (customer, total, note) SELECT 'd', 1, to_jsonb(repeat('x', 200)) FROM generate_series(1, 500)",
    );
    await shards.one.query('ANALYZE');
    const [plan] = await mover.plan({ kind: 'rebalance', by: 'size', shards: ['one', 'two'] });
    expect(plan).toMatchObject({ from: 'one', to: 'two', slices: [{ from: 1, to: 2 }] });
    const { rows } = await shards.one.query("SELECT pg_total_relation_size('purchase')::int AS bytes");
    expect(plan!.weight).toBeGreaterThan(rows[0].bytes * 0.9);
    await close();
  }, 60_000);

  it('an entry of a directory is moved, and a key of its rest', async () => {
    const entries = [{ key: 'b', shard: 'one' }];
    const { moved, close } = await site({ kind: 'directory', entries, rest: 'one' });
    await moved({ kind: 'place', key: 'b', to: 'two' });
    await moved({ kind: 'place', key: 'd', to: 'two' });
    expect([await customersAt(shards.one), await customersAt(shards.two)]).toEqual(['a c e f', 'b d']);
    await expect(write(shards.one, 'd')).rejects.toMatchObject(refused);
    for (const customer of 'acef') await write(shards.one, customer);
    for (const customer of 'bd') await write(shards.two, customer);
    await close();
  }, 90_000);

  it('a range whose parts were joined comes back past the fences of both', async () => {
    const parts = [
      { to: 'm', shard: 'one' },
      { from: 'm', shard: 'two' },
    ];
    const { moved, close } = await site({ kind: 'range', parts });
    await moved({ kind: 'cut', at: 'c', to: 'two' });
    await moved({ kind: 'place', key: 'e', to: 'one' });
    await moved({ kind: 'place', key: 'e', to: 'two' });
    await moved({ kind: 'join', at: 'e' });
    // Also with the range from `m` on, which the first map has
    await moved({ kind: 'join', at: 'm' });
    await expect(write(shards.one, 'e')).rejects.toMatchObject(refused);
    await moved({ kind: 'merge', shards: ['two'], into: 'one' });
    expect([await customersAt(shards.one), await customersAt(shards.two)]).toEqual(['a b c d e f', '']);
    for (const customer of 'abcdef') await write(shards.one, customer);
    for (const customer of 'ce') await expect(write(shards.two, customer)).rejects.toMatchObject(refused);
    await expect(shards.two.query("INSERT INTO customer VALUES ('z')")).rejects.toMatchObject(refused);
    await close();
  }, 120_000);

  it('a key is forgotten when it has no rows, and may be placed where it was', async () => {
    const entries = ['a', 'b', 'c', 'd', 'e', 'f'].map(key => ({ key, shard: 'one' }));
    const { mover, moved, close } = await site({ kind: 'directory', entries });
    await moved({ kind: 'place', key: 'b', to: 'two' });
    await expect(mover.forget('d')).rejects.toMatchObject({
      obstacles: [
        { kind: 'rows', shard: 'one', table: 'customer' },
        { kind: 'rows', shard: 'one', table: 'purchase' },
      ],
    });
    await write(shards.one, 'd');
    // A transaction that nobody sees yet is waited for
    await shards.one.query("DELETE FROM purchase WHERE customer IN ('d', 'e')");
    await shards.one.query("DELETE FROM customer WHERE id IN ('d', 'e')");
    const open = await shards.connect('one');
    await open.query("BEGIN; INSERT INTO customer VALUES ('d')");
    await expect(mover.forget('d')).rejects.toThrow(FenceBusyError);
    await open.query('ROLLBACK');
    await mover.forget('d');
    await mover.forget('e');
    for (const id of ['d', 'e'])
      await expect(shards.one.query('INSERT INTO customer VALUES ($1)', [id])).rejects.toMatchObject(refused);
    await expect(write(shards.one, 'b')).rejects.toMatchObject(refused);
    await write(shards.one, 'c');
    await moved({ kind: 'place', key: 'd', to: 'one' });
    await shards.one.query("INSERT INTO customer VALUES ('d')");
    await expect(write(shards.one, 'b')).rejects.toMatchObject(refused);
    await moved({ kind: 'place', key: 'd', to: 'two' });
    await expect(write(shards.one, 'd')).rejects.toMatchObject(refused);
    await write(shards.two, 'd');
    await mover.forget('c', { rows: 'keep' });
    await expect(write(shards.one, 'c')).rejects.toMatchObject(refused);
    await moved({ kind: 'place', key: 'c', to: 'one' });
    await write(shards.one, 'c');
    await close();
  }, 120_000);

  it('whole tables are moved together, and the others stay open', async () => {
    const layout = { kind: 'tables', tables: { customer: 'one', purchase: 'one' } } as const;
    const whole = {
      customer: { ...tables['customer']!, key: [] },
      purchase: { ...tables['purchase']!, key: [] },
    };
    const { mover, moved, close } = await site(layout, whole);
    const [apart] = await mover.plan({ kind: 'tables', tables: ['purchase'], to: 'two' });
    expect(apart!.obstacles.map(({ kind, table }) => [kind, table])).toContainEqual([
      'foreign_key',
      'purchase',
    ]);
    await moved({ kind: 'tables', tables: ['customer', 'purchase'], to: 'two' });
    expect([await counts(shards.one), await counts(shards.two)]).toEqual([
      { customers: 0, purchases: 0 },
      { customers: 6, purchases: 6 },
    ]);
    await expect(shards.one.query("INSERT INTO customer VALUES ('z')")).rejects.toMatchObject(refused);
    await write(shards.two, 'a');
    await moved({ kind: 'tables', tables: ['customer', 'purchase'], to: 'one' });
    await write(shards.one, 'a');
    expect(await counts(shards.one)).toEqual({ customers: 6, purchases: 8 });
    await close();
  }, 90_000);

  it('a forgotten key is refused also when another has got its number, and rows that were left are purged', async () => {
    const entries = [...'abcdef'].map(key => ({ key, shard: 'one' }));
    const { moved, mover, close } = await site({ kind: 'directory', entries });
    await shards.one.query("DELETE FROM purchase WHERE customer = 'c'; DELETE FROM customer WHERE id = 'c'");
    const { slots } = await mover.map();
    await mover.forget('c');
    await mover.begin({ kind: 'place', key: 'x', to: 'one' });
    expect((await mover.map()).slots).toBe(slots);
    await shards.one.query("INSERT INTO customer VALUES ('x')");
    const old = () => shards.one.query("INSERT INTO customer VALUES ('c')");
    await expect(old()).rejects.toMatchObject(refused);

    await mover.forget('d', { rows: 'keep' });
    await mover.begin({ kind: 'place', key: 'd', to: 'two' });
    await shards.two.query("INSERT INTO customer VALUES ('d', 'new')");
    await expect(mover.move({ kind: 'place', key: 'd', to: 'one' })).rejects.toMatchObject({
      obstacles: [
        { kind: 'rows_at_target', shard: 'one', table: 'customer' },
        { kind: 'rows_at_target', shard: 'one', table: 'purchase' },
      ],
    });
    await expect(shards.one.query("DELETE FROM purchase WHERE customer = 'd'")).rejects.toMatchObject(
      refused,
    );
    expect(await mover.purge('d', 'one')).toBe(2);
    await moved({ kind: 'place', key: 'd', to: 'one' });
    const { rows } = await shards.one.query("SELECT name FROM customer WHERE id = 'd'");
    expect(rows).toEqual([{ name: 'new' }]);
    expect(await customersAt(shards.one)).toBe('a b d e f x');
    await moved({ kind: 'place', key: 'x', to: 'two' });
    for (const key of ['c', 'x']) await expect(write(shards.one, key)).rejects.toMatchObject(refused);
    for (const key of 'abdef') await write(shards.one, key);
    await close();
  }, 120_000);

  it('what one map has moved away is nothing to another map over the same databases', async () => {
    const at = (keys: string) => [...keys].map(key => ({ key, shard: 'one' }));
    const { moved, close, store, backend } = await site({ kind: 'directory', entries: at('abcdef') });
    const parcels = { parcel: { key: ['id'], primaryKey: ['id'], columns: { id: 'text' } } } as const;
    for (const client of [shards.one, shards.two])
      await client.query('CREATE TABLE IF NOT EXISTS parcel (id text PRIMARY KEY)');
    const first = firstMap('text', 16, ['one', 'two'], { kind: 'directory', entries: at('pqr') });
    await new Maps(store, 'parcels').readOr(first);
    const other = new Mover({ store, name: 'parcels', tables: parcels, backend, steadyMs: 0 });
    await moved({ kind: 'place', key: 'a', to: 'two' });
    for (const { id } of await other.move({ kind: 'place', key: 'q', to: 'two' })) await other.finish(id);
    await moved({ kind: 'place', key: 'c', to: 'two' });
    for (const key of 'bdef') await write(shards.one, key);
    for (const key of 'ac') await expect(write(shards.one, key)).rejects.toMatchObject(refused);
    await shards.one.query("INSERT INTO parcel VALUES ('p'), ('r')");
    await expect(shards.one.query("INSERT INTO parcel VALUES ('q')")).rejects.toMatchObject(refused);
    await other.close();
    await close();
  }, 120_000);
});
