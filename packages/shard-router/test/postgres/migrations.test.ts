import { eventually, type Postgres, startPostgres } from '@workspace/services';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { pgliteAdmin } from '../../src/adapters/pglite.ts';
import { type Migration, postgresMigrations } from '../../src/adapters/postgres.ts';
import {
  MigrationFailedError,
  MigrationRefusedError,
  MigrationsClosedError,
} from '../../src/errors/migrations.ts';

const names = ['one', 'two', 'three'] as const;
const first: Migration = {
  name: '1-orders',
  sql: 'CREATE TABLE orders (tenant text, id bigint, PRIMARY KEY (tenant, id))',
};
const note: Migration = {
  name: '2-note',
  sql: 'ALTER TABLE orders ADD note text; UPDATE orders SET note = id',
};
const index: Migration = { name: '3-index', sql: 'CREATE INDEX CONCURRENTLY orders_note ON orders (note)' };
const soon = { withinMs: 20_000 };

describe('migrations of all shards', () => {
  let server: Postgres;
  let admin: pg.Client;
  const urls: Record<string, string> = {};
  beforeAll(async () => {
    server = await startPostgres({ own: true });
    admin = new pg.Client(server.url);
    await admin.connect();
  }, 60_000);
  afterAll(async () => {
    await admin.end();
    await server.stop();
  });
  beforeEach(async () => {
    for (const name of names) {
      await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await admin.query(`CREATE DATABASE ${name}`);
      const url = new URL(server.url);
      url.pathname = `/${name}`;
      urls[name] = String(url);
    }
  });

  async function connect(shard: string): Promise<pg.Client> {
    const client = new pg.Client(urls[shard]);
    client.on('error', () => {});
    await client.connect();
    onTestFinished(() => client.end().catch(() => {}));
    return client;
  }

  function site(more: Partial<Parameters<typeof postgresMigrations>[0]> = {}) {
    const shards = Object.fromEntries(names.map(name => [name, { client: () => new pg.Client(urls[name]) }]));
    const migrations = postgresMigrations({ shards, ...more });
    onTestFinished(() => migrations.close());
    return migrations;
  }

  it('an index that is not valid after its migration is told by a code, and not noted as made', async () => {
    const one = await connect('one');
    await one.query(`${first.sql}; ALTER TABLE orders ADD note text`);
    await one.query(`CREATE FUNCTION spoil() RETURNS event_trigger LANGUAGE plpgsql AS
      $$ BEGIN UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass('orders_note'); END $$`);
    await one.query(
      "CREATE EVENT TRIGGER spoil ON ddl_command_end WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION spoil()",
    );
    const { report } = await site()
      .run([index])
      .catch(error => error);
    expect(report).toMatchObject([
      {
        shard: 'one',
        state: 'failed',
        applied: [],
        error: { code: 'ASHLAR_SHARD_ROUTER_INVALID_INDEX', index: 'orders_note' },
      },
      { shard: 'three', state: 'waiting' },
      { shard: 'two', state: 'waiting' },
    ]);
  });

  it('run once on each, in their order, and say what was done where', async () => {
    const migrations = site({ atOnce: 3 });
    expect(await migrations.pending([first, note])).toEqual({
      one: ['1-orders', '2-note'],
      two: ['1-orders', '2-note'],
      three: ['1-orders', '2-note'],
    });
    const report = await migrations.run([first, note, index]);
    expect(report.map(each => each.shard)).toEqual(['one', 'three', 'two']);
    for (const each of report)
      expect(each).toEqual({
        shard: each.shard,
        state: 'done',
        applied: ['1-orders', '2-note', '3-index'],
        pending: [],
      });
    for (const each of await migrations.run([first, note, index])) expect(each.applied).toEqual([]);
    expect(await migrations.pending([first, note, index])).toEqual({ one: [], two: [], three: [] });
    expect(await migrations.drift()).toEqual([]);
  });

  it('stop at the shard that fails, whose migration leaves nothing, and go on from there', async () => {
    const migrations = site();
    await migrations.run([first]);
    const two = await connect('three');
    await two.query('ALTER TABLE orders ADD note text');
    const failed = await migrations.run([first, note]).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(MigrationFailedError);
    expect((failed as MigrationFailedError).report).toMatchObject([
      { shard: 'one', state: 'done', applied: ['2-note'] },
      { shard: 'three', state: 'failed', applied: [], pending: ['2-note'], error: { code: '42701' } },
      { shard: 'two', state: 'waiting', pending: ['1-orders', '2-note'] },
    ]);
    expect((await migrations.drift()).map(({ kind, name, shards }) => [kind, name, shards])).toEqual([
      ['column', 'note', { one: 'text', two: undefined, three: 'text' }],
    ]);
    await two.query('ALTER TABLE orders DROP note');
    expect(await migrations.run([first, note])).toMatchObject([
      { shard: 'one', applied: [] },
      { shard: 'three', applied: ['2-note'] },
      { shard: 'two', applied: ['2-note'] },
    ]);
    expect(await migrations.drift()).toEqual([]);
  });

  it('go on after a process that died in the midst of one', async () => {
    const slow: Migration = { name: '2-slow', sql: 'ALTER TABLE orders ADD note text; SELECT pg_sleep(60)' };
    await site().run([first]);
    const dying = site()
      .run([first, slow])
      .catch((error: unknown) => error);
    await eventually(async () => {
      const { rows } = await admin.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND datname = 'one'",
      );
      expect(rows).toHaveLength(1);
    }, soon);
    expect((await dying) as MigrationFailedError).toMatchObject({
      report: [{ shard: 'one', state: 'failed', pending: ['2-slow'] }, {}, {}],
    });
    const quick = { ...slow, sql: 'ALTER TABLE orders ADD note text' };
    expect(await site().run([first, quick])).toMatchObject([
      { applied: ['2-slow'] },
      { applied: ['2-slow'] },
      { applied: ['2-slow'] },
    ]);
  });

  it('build an index again that a process has left half-built', async () => {
    const migrations = site();
    await migrations.run([first, note]);
    const blocker = await connect('one');
    await blocker.query("BEGIN; INSERT INTO orders VALUES ('acme', 1)");
    const dying = site()
      .run([first, note, index])
      .catch((error: unknown) => error);
    await eventually(async () => {
      const { rows } = await admin.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock' AND datname = 'one'",
      );
      expect(rows).toHaveLength(1);
    }, soon);
    expect(await dying).toBeInstanceOf(MigrationFailedError);
    await blocker.query('COMMIT');
    const { rows } = await blocker.query(
      "SELECT indisvalid FROM pg_index WHERE indexrelid = 'orders_note'::regclass",
    );
    expect(rows).toEqual([{ indisvalid: false }]);
    expect(await migrations.run([first, note, index])).toMatchObject([{ applied: ['3-index'] }, {}, {}]);
    const after = await blocker.query(
      "SELECT indisvalid FROM pg_index WHERE indexrelid = 'orders_note'::regclass",
    );
    expect(after.rows).toEqual([{ indisvalid: true }]);
    // A process that died after the index was there, before it was noted
    await blocker.query("UPDATE ashlar_shards.migration SET done_at = NULL WHERE name = '3-index'");
    expect(await migrations.run([first, note, index])).toMatchObject([{ applied: ['3-index'] }, {}, {}]);
  });

  it('are run by one of two processes; the other finds them done', async () => {
    const all = [first, note, index];
    const both = await Promise.all([site({ atOnce: 3 }).run(all), site({ atOnce: 3 }).run(all)]);
    for (const [at] of names.entries()) {
      const applied = both.flatMap(report => report[at]!.applied);
      expect([...applied].sort()).toEqual(['1-orders', '2-note', '3-index']);
    }
  });

  it('let others pass while they do not get their lock, and come again', async () => {
    const migrations = site({ lockTimeoutMs: 50 });
    await migrations.run([first]);
    const reader = await connect('one');
    await reader.query('BEGIN; SELECT FROM orders');
    const running = migrations.run([first, note]);
    const other = await connect('one');
    await eventually(async () => {
      const { rows } = await admin.query(
        "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = 'one'",
      );
      expect(rows).toHaveLength(1);
    }, soon);
    await other.query('SELECT FROM orders');
    await reader.query('COMMIT');
    expect(await running).toMatchObject([{ applied: ['2-note'] }, {}, {}]);
  });

  it('are refused before anything is touched: changed ones, shards that do not answer, rows that move', async () => {
    const migrations = site();
    await migrations.run([first]);
    const changed = { ...first, sql: 'CREATE TABLE orders (id bigint)' };
    await expect(migrations.run([changed, note])).rejects.toThrow('has run here with other SQL');
    const one = await connect('three');
    await one.query('CREATE PUBLICATION ashlar_move_abc_a FOR TABLE orders');
    await expect(migrations.run([first, note])).rejects.toMatchObject({
      obstacles: [{ kind: 'moving', shard: 'three', words: expect.stringContaining('ashlar_move_abc_a') }],
    });
    await one.query('DROP PUBLICATION ashlar_move_abc_a');
    await one.end();
    const shards = {
      one: { client: () => new pg.Client(urls['one']) },
      two: { client: () => new pg.Client('postgres://nobody@127.0.0.1:1/none') },
    };
    await expect(site({ shards }).run([first, note])).rejects.toThrow(MigrationRefusedError);
    expect(await migrations.pending([note])).toEqual({ one: ['2-note'], two: ['2-note'], three: ['2-note'] });
  });

  it.each([
    [[{ name: 'a', sql: ' -- nothing\n;' }], 'has no SQL'],
    [[first, first], 'named twice'],
    [[{ name: 'a', sql: 'BEGIN; CREATE TABLE x (); COMMIT' }], 'begins or ends a transaction'],
    [[{ name: '', sql: 'SELECT 1' }], 'has no name'],
  ])('%# that cannot be are refused', async (migrations, words) => {
    await expect(site().run(migrations)).rejects.toThrow(words);
  });

  it('may have bodies of functions that begin and end', async () => {
    const body =
      'CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN\n RETURN 1; END; $$; DO $x$ BEGIN PERFORM f(); END; $x$';
    expect(await site().run([{ name: 'f', sql: body }])).toMatchObject([{ applied: ['f'] }, {}, {}]);
  });

  it('that are cut off by close reject with MigrationsClosedError', async () => {
    const migrations = site();
    const rejects = expect(migrations.drift()).rejects.toThrow(MigrationsClosedError);
    await Promise.all([migrations.close(), rejects]);
  });

  it('find what differs: types, defaults, indexes, constraints, collations, tables', async () => {
    const migrations = site();
    await migrations.run([first, note]);
    const [one, two] = [await connect('one'), await connect('two')];
    await one.query('CREATE INDEX only_here ON orders (note); ALTER TABLE orders ADD CHECK (id > 0)');
    await two.query(
      'ALTER TABLE orders ALTER note TYPE varchar(9), ALTER id SET DEFAULT 7, ALTER tenant TYPE text COLLATE "C"; CREATE TABLE more (id int PRIMARY KEY)',
    );
    const drift = await migrations.drift();
    expect(
      drift.map(({ table, kind, name, shards }) => [table, kind, name, shards['one'], shards['two']]),
    ).toEqual([
      ['public.more', 'table', 'kind', undefined, 'ordinary, replica identity d'],
      ['public.orders', 'column', 'id', 'bigint NOT NULL', 'bigint NOT NULL DEFAULT 7'],
      ['public.orders', 'column', 'note', 'text', 'character varying(9)'],
      ['public.orders', 'column', 'tenant', 'text NOT NULL', 'text COLLATE C NOT NULL'],
      ['public.orders', 'constraint', 'orders_id_check', 'CHECK ((id > 0))', undefined],
      [
        'public.orders',
        'index',
        'only_here',
        'CREATE INDEX only_here ON public.orders USING btree (note)',
        undefined,
      ],
    ]);
  });
});

it('migrations run on PGlite too, which has one session', async () => {
  const { PGlite } = await import('@electric-sql/pglite');
  const dbs = { one: await PGlite.create(), two: await PGlite.create() };
  onTestFinished(() => Promise.all([dbs.one.close(), dbs.two.close()]).then(() => {}));
  const site = () =>
    postgresMigrations({
      shards: { one: { client: () => pgliteAdmin(dbs.one) }, two: { client: () => pgliteAdmin(dbs.two) } },
    });
  const [a, b] = [site(), site()];
  const both = await Promise.all([a.run([first, note]), b.run([first, note])]);
  expect(both.flatMap(report => report[0]!.applied).sort()).toEqual(['1-orders', '2-note']);
  const bad = { name: '3-bad', sql: 'ALTER TABLE orders ADD more text; SELECT 1 / 0' };
  await expect(a.run([first, note, bad])).rejects.toThrow(MigrationFailedError);
  await dbs.one.query("INSERT INTO orders VALUES ('acme', 1, 'x')");
  expect(await a.drift()).toEqual([]);
  await dbs.two.query('ALTER TABLE orders ALTER note SET NOT NULL');
  expect(await a.drift()).toMatchObject([{ name: 'note', shards: { one: 'text', two: 'text NOT NULL' } }]);
}, 120_000);
