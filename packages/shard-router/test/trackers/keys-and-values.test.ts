import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { pgliteMoves } from '../../src/adapters/pglite.ts';
import { context, run } from '../../src/conformance/steps.ts';
import type { MoveBackend } from '../../src/moves/move-backend.ts';
import { twoShards } from '../postgres/shards.ts';
import { halfOf } from '../support/half.ts';

const spec = { key: ['id'], primaryKey: ['id'], columns: { id: 'text' } } as const;

/** A row is one of a type of each kind, and comes to the copy, or to what follows it. */
const make = `CREATE TYPE place AS (x numeric, name text); CREATE DOMAIN positive AS int CHECK (VALUE > 0);
  CREATE TABLE kinds (id text PRIMARY KEY, doc jsonb, plain json, whole numeric(8, 0), far numeric, big bigint, at place, n positive, grid int[], several int4multirange,
    during tstzrange, day date, clock timetz, mark xml, net macaddr, path path, weight money, words tsvector, seat int, other int);
  ALTER TABLE kinds ALTER id SET STORAGE EXTERNAL, ADD CONSTRAINT seats UNIQUE (seat) DEFERRABLE INITIALLY DEFERRED, ADD changed int DEFAULT 0,
    REPLICA IDENTITY FULL;
  CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.changed = OLD.changed + 1; RETURN NEW; END';
  CREATE TRIGGER change BEFORE UPDATE ON kinds FOR EACH ROW EXECUTE FUNCTION change()`;
/** Each value is there, and null, empty or at the edge of its type. */
const fill = (from: number, to: number) => `
  INSERT INTO kinds SELECT 'key ' || i || CASE WHEN i % 7 = 0 THEN repeat('-', 2300) ELSE '' END,
    (ARRAY['null', '{"a": null}', '[]', '"\\u00e9"', NULL])[1 + i % 5]::jsonb, (ARRAY['null', '{ "b": 1, "b": 2 }', NULL])[1 + i % 3]::json, i % 2,
    (ARRAY['Infinity', '-Infinity', 'NaN', '0', '1e-20'])[1 + i % 5]::numeric, 9007199254740993 + i,
    CASE i % 3 WHEN 0 THEN ROW(NULL, NULL)::place WHEN 1 THEN ROW(1.50, 'a, "b"')::place END, 1 + i,
    (ARRAY['[0:1]={1,2}', '{}', '{{1,NULL},{3,4}}'])[1 + i % 3]::int[], (ARRAY['{}', '{[1,3),[5,)}'])[1 + i % 2]::int4multirange,
    (ARRAY['empty', '(,2026-01-01)', '[-infinity,infinity]'])[1 + i % 3]::tstzrange, (ARRAY['infinity', '0044-03-15 BC', '5874897-12-31'])[1 + i % 3]::date,
    '24:00:00-15:59', '<a b="&amp;"/>', '08:00:2b:01:02:03', '[(0,0),(1,1.1)]', '-92233720368547758.08', 'a:1A b:2', i, 0
  FROM generate_series(${from}, ${to}) i`;
/** Also a value that must be unique only in the end, keys that come again and keys that go. */
const change = `UPDATE kinds SET other = other + 1, doc = CASE WHEN doc IS NULL THEN 'null' WHEN doc = 'null' THEN NULL ELSE doc END,
    far = -far, grid = '[2:3]={5,6}' WHERE seat % 3 = 0;
  BEGIN; UPDATE kinds SET seat = CASE WHEN seat % 2 = 0 THEN seat + 1 ELSE seat - 1 END; COMMIT;
  BEGIN; DELETE FROM kinds WHERE seat % 5 = 0; INSERT INTO kinds (id, seat, doc) SELECT 'key ' || i, i, 'null' FROM generate_series(0, 59, 10) i ON CONFLICT (id) DO UPDATE SET doc = '{}'; COMMIT;
  DELETE FROM kinds WHERE seat % 11 = 0`;
const rows = `SELECT id, md5(t::text) AS hash FROM kinds t WHERE (hashtextextended(id, 0) & 15) < 8 ORDER BY id COLLATE "C"`;

interface Place {
  readonly moves: () => MoveBackend;
  run(shard: 'one' | 'two', text: string): Promise<unknown>;
  query(shard: 'one' | 'two', text: string): Promise<unknown[]>;
}

// It takes seconds to start one
let dbs: { readonly one: PGlite; readonly two: PGlite };
beforeAll(async () => {
  dbs = { one: await PGlite.create(), two: await PGlite.create() };
}, 300_000);
afterAll(async () => {
  for (const db of Object.values(dbs ?? {})) await db.close();
});

const places: Readonly<Record<string, () => Promise<Place>>> = {
  PostgreSQL: async () => {
    const shards = await twoShards({ config: { wal_retrieve_retry_interval: '100ms' } });
    onTestFinished(async () => shards[Symbol.asyncDispose]());
    return {
      moves: () => shards.moves(),
      run: (shard, text) => shards[shard].query(text),
      query: async (shard, text) => (await shards[shard].query(text)).rows,
    };
  },
  PGlite: async () => ({
    moves: () => pgliteMoves({ shards: { one: { db: dbs.one }, two: { db: dbs.two } }, batch: 7 }),
    run: (shard, text) => dbs[shard].exec(text),
    query: async (shard, text) => (await dbs[shard].query(text)).rows,
  }),
};

vi.setConfig({ testTimeout: 300_000 });

/** What users of tools that move rows between databases have reported, on ours. */
describe('a move', () => {
  // vitess#13942, vitess#8677 (JSON that is null, and none), vitess#11210 (a numeric of no digits that is 0), pgdog#1607 (numeric infinities), pgcopydb#127 (whole
  // numbers as floats), clickhouse#111552 (a key that is stored out of line), pglogical#231 (deletions of filtered rows), shardingsphere#16837 (a row that is deleted
  // and comes again), shardingsphere#14091 (an update that is passed over), xtdb#5542 (large values under REPLICA IDENTITY FULL)
  it.each(Object.keys(places))(
    'brings values of every kind of type, and all changes of them, on %s',
    async name => {
      const place = await places[name]!();
      const move = halfOf({ key: 'text', slots: 16, tables: { kinds: spec } }, 'kinds');
      for (const shard of ['one', 'two'] as const) await place.run(shard, make);
      await place.run('one', fill(0, 39));
      const moves = place.moves();
      const { obstacles } = await moves.plan(move, AbortSignal.timeout(60_000));
      expect(obstacles).toEqual([]);
      await run(moves, move, { to: 'copy' });
      await place.run('one', fill(40, 59));
      await place.run('one', change);
      await run(moves, move, { from: 'lag', to: 'verify' });
      await place.run('one', change);
      await run(moves, move, { from: 'fence' });
      const there = await place.query('two', rows);
      expect(there.length).toBeGreaterThan(10);
      expect(there).toEqual(await place.query('one', rows));
      await moves.follow!(move, context());
      await place.run('two', change);
      await run(moves, { ...move, from: 'two', to: 'one' }, { from: 'lag' });
      expect(await place.query('one', rows)).toEqual(await place.query('two', rows));
    },
  );
});

// mongo#1819: what an update takes out of the slots that move, and is deleted where it is then, came back at the target
it.each(Object.keys(places))(
  'a row that leaves the slots of a move and is deleted then is gone, on %s',
  async name => {
    const place = await places[name]!();
    for (const shard of ['one', 'two'] as const)
      await place.run(shard, 'CREATE TABLE notes (id text PRIMARY KEY)');
    const move = halfOf({ key: 'text', slots: 16, tables: { notes: spec } }, 'leaving');
    const isMoved = '(hashtextextended(id, 0) & 15) < 8';
    await place.run('one', "INSERT INTO notes SELECT 'key ' || i FROM generate_series(0, 99) i");
    const moves = place.moves();
    const elsewhere = `(SELECT i.id FROM (SELECT 'gone ' || g AS id FROM generate_series(0, 99) g) i WHERE NOT ${isMoved} ORDER BY 1 LIMIT 1)`;
    await run(moves, move, { to: 'copy' });
    for (const to of ['lag', 'verify', 'turn'] as const) {
      await place.run(
        'one',
        `UPDATE notes SET id = ${elsewhere} WHERE id = (SELECT min(id) FROM notes WHERE ${isMoved}); DELETE FROM notes WHERE id = ${elsewhere}`,
      );
      await run(moves, move, { from: to === 'turn' ? 'fence' : to, to });
    }
    const rows = `SELECT id FROM notes WHERE ${isMoved} ORDER BY id`;
    expect(await place.query('two', rows)).toEqual(await place.query('one', rows));
  },
);

it('says of a primary key that nobody could follow that it stands in the way', async () => {
  await using shards = await twoShards();
  for (const client of [shards.one, shards.two])
    await client.query(`CREATE TABLE later (id text PRIMARY KEY DEFERRABLE);
      CREATE TABLE made (doc jsonb, id text GENERATED ALWAYS AS (doc->>'id') STORED PRIMARY KEY)`);
  for (const table of ['later', 'made']) {
    const move = halfOf({ key: 'text', slots: 16, tables: { [table]: spec } }, table);
    const { obstacles } = await shards.moves().plan(move, AbortSignal.timeout(60_000));
    expect(obstacles, table).toMatchObject([
      { kind: 'replica_identity', shard: 'one', table },
      { kind: 'replica_identity', shard: 'two', table },
    ]);
  }
});
