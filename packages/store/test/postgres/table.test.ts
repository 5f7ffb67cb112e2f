import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { InvalidOptionError } from '@ashlar/core';
import { eventually, type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import pg from 'pg';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { PostgresBackend } from '../../src/adapters/postgres/backend.ts';
import { table } from '../../src/adapters/postgres/table.ts';
import { postgresTable, TableShapeError } from '../../src/adapters/postgres.ts';
import { Mirror } from '../../src/conformance/tools.ts';
import { UnsafeBackendError } from '../../src/errors.ts';
import { BackendStore } from '../../src/index.ts';
import { ending } from '../support/stores.ts';
import { Tables } from './tables.ts';

const value = new Uint8Array([1]);

describeWith({ own: 'postgres' }, 'the table of postgresStore', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres({ own: true });
  });
  afterAll(() => server?.stop());

  function tablesHere(): Tables {
    return ending(new Tables(server.url));
  }

  it('is made on request, once, by many at once', async () => {
    const tables = tablesHere();
    const store = tables.store();
    const missing = await store.get('key').catch((error: unknown) => error);
    expect(missing).toBeInstanceOf(TableShapeError);
    expect(missing).toMatchObject({ table: tables.table, differences: [], outcome: 'NotExecuted' });
    await Promise.all(Array.from({ length: 5 }, () => tables.store().migrate()));
    await store.set('key', value);
    await store.migrate();
    expect(await store.get('key')).toMatchObject({ value });
  });

  it('can be made by the SQL, in a schema and under a name of any kind', async () => {
    const tables = tablesHere();
    const table = 'odd "schema".Käufe; --';
    await tables.sql('CREATE SCHEMA "odd ""schema"""');
    await tables.sql(postgresTable(table));
    const store = tables.store({ table });
    await store.set('key', value);
    expect(await tables.sql('SELECT kind FROM "odd ""schema"""."Käufe; --"')).toEqual([{ kind: 0 }]);
  });

  it('of another shape is left alone, and the error says what differs', async () => {
    const tables = tablesHere();
    await tables.sql(`CREATE TABLE ${tables.table} (kind smallint NOT NULL, key text NOT NULL, value bytea,
      version text, token bigint, changed xid8, owner text NOT NULL, PRIMARY KEY (key))`);
    const store = tables.store();
    const differences = [
      'column key is text NOT NULL, not bytea NOT NULL',
      'there is no column ends_at timestamp with time zone',
      'column owner must be given',
      'the primary key is (key), not (kind, key)',
    ];
    for (const attempt of [() => store.migrate(), () => store.set('key', value)]) {
      const error = await attempt().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(TableShapeError);
      expect(error).toMatchObject({ code: 'ASHLAR_STORE_TABLE_SHAPE', differences });
    }
    await tables.sql(`DROP TABLE ${tables.table}`);
    await tables.sql(`CREATE VIEW ${tables.table} AS SELECT 1 AS kind`);
    await expect(store.migrate()).rejects.toThrow('it is no ordinary table');
    await tables.sql(`DROP VIEW ${tables.table}`);
  });

  it('may have columns of its own, and gets back a lost index', async () => {
    const tables = tablesHere();
    const store = tables.store();
    await store.migrate();
    await tables.sql(
      `ALTER TABLE ${tables.table} ADD note text, ADD made timestamptz NOT NULL DEFAULT now()`,
    );
    await store.set('key', value);
    await tables.sql(`DROP INDEX ${tables.table}_changed`);
    const other = tables.store();
    await expect(other.get('key')).rejects.toThrow(`there is no index ${tables.table}_changed`);
    await other.migrate();
    expect(await other.get('key')).toMatchObject({ value });
  });

  it('is left alone when it is complete, so migrate needs no privilege to create', async () => {
    const tables = tablesHere();
    await tables.store().migrate();
    const role = `${tables.table}_role`;
    await tables.sql(`CREATE ROLE ${role} LOGIN`);
    onTestFinished(async () => {
      const admin = new pg.Pool({ connectionString: server.url });
      await admin.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
      await admin.end();
    });
    await tables.sql('REVOKE CREATE ON SCHEMA public FROM PUBLIC');
    await tables.sql(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${tables.table} TO ${role}`);
    const limited = tables.store(
      {},
      { connectionString: server.url.replace('postgres@', `${role}@`), user: role },
    );
    await limited.migrate();
    await limited.set('key', value);
    expect(await tables.store().get('key')).toMatchObject({ value });
    await tables.sql(`DROP INDEX ${tables.table}_changed`);
    await expect(limited.migrate()).rejects.toThrow('permission denied for schema public');
  });

  it('is not watched by more stores than their pool has connections for', async () => {
    const tables = tablesHere();
    await tables.store().migrate();
    const pool = new pg.Pool({ connectionString: server.url, max: 2 });
    onTestFinished(() => pool.end());
    const stores = [1, 2].map(() => tables.store({ pool }));
    const end = new AbortController();
    stores[0]!.watch('', end);
    const { signal } = new AbortController();
    const watching = () => stores[1]!.watch('', { signal });
    expect(watching).toThrow(InvalidOptionError);
    expect(watching).toThrow(
      '`pool` has room for 2 connections and needs 3: one for each of 2 stores that watch, and one for operations; ' +
        'write `new pg.Pool({ max: 3 })`',
    );
    expect(stores[1]!.snapshot().watches).toBe(0);
    await stores[1]!.set('key', value);
    end.abort();
    watching();
    await stores[1]!.set('key', value);
    for (const store of stores) await store.close();
  });

  it('prepares no statement when it is told so', async () => {
    const tables = tablesHere();
    await tables.store().migrate();
    for (const [prepare, isPrepared] of [
      [true, true],
      [false, false],
    ] as const) {
      const pool = new pg.Pool({ connectionString: server.url, max: 1 });
      onTestFinished(() => pool.end());
      const store = tables.store({ pool, watchPool: tables.admin, prepare });
      await store.set('key', value);
      await store.get('key');
      const { rows } = await pool.query('SELECT name FROM pg_prepared_statements');
      expect(rows.length > 0).toBe(isPrepared);
      await store.close();
    }
  });

  it('of a standby is refused', async () => {
    const group = await startPostgres({ standbys: 1 });
    onTestFinished(() => group.stop());
    const tables = ending(new Tables(group.url));
    const primary = tables.store();
    await primary.migrate();
    await primary.set('key', value);
    const standby = tables.store({}, { connectionString: group.standbys[0]!.url });
    const untilThere = async () => {
      const { message } = await standby.get('key').then(
        () => new Error('it answered'),
        (error: Error) => error,
      );
      expect(message).toContain('the server is a standby, which cannot be written to');
    };
    await eventually(untilThere, { withinMs: 20_000 });
    await expect(standby.set('key', value)).rejects.toMatchObject({
      outcome: 'NotExecuted',
      retryable: true,
    });
  });

  it('must survive a crash, unless less is asked for', async () => {
    const tables = tablesHere();
    const warnings: unknown[] = [];
    const note = (message: unknown) => warnings.push(message);
    subscribe('ashlar:store:warning', note);
    onTestFinished(() => void unsubscribe('ashlar:store:warning', note));
    await tables.store().migrate();
    const strict = tables.store({ durability: 'linearizable', name: 'strict' });
    const error = await strict.set('key', value).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UnsafeBackendError);
    expect(error).toMatchObject({ outcome: 'NotExecuted' });
    expect(String(error)).toContain('fsync is off, full_page_writes is off;');
    expect(warnings).toEqual([{ store: 'strict', warning: expect.stringContaining('fsync is off') }]);
    expect(await tables.store().get('key')).toBeUndefined();
    const lax = tables.store({}, { options: '-c synchronous_commit=off' });
    await lax.set('key', value);
    expect(lax.durability).toBe('asynchronous');
    expect(warnings.at(-1)).toMatchObject({ warning: expect.stringContaining('synchronous_commit is off') });
    await tables.sql(`ALTER TABLE ${tables.table} SET UNLOGGED`);
    await expect(tables.store({ durability: 'linearizable' }).get('key')).rejects.toThrow('unlogged');
  });

  it('forgets what was deleted, what expired and what ended long ago', async () => {
    const tables = tablesHere();
    const store = tables.store();
    await store.migrate();
    await store.set('deleted', value);
    await store.delete('deleted');
    await store.claim('name', 'holder', 1_000);
    const rows = () => tables.sql(`SELECT kind FROM ${tables.table} WHERE kind < 2`);
    expect(await rows()).toHaveLength(2);
    await tables.sql(`UPDATE ${tables.table} SET ends_at = ends_at - interval '8 days'`);
    const [{ token }] = (await tables.sql(`UPDATE ${tables.table} SET token = token - 8 * 86400000000::bigint
      WHERE kind = 1 RETURNING token::text`)) as [{ token: string }];
    await using mirror = new Mirror(store, '');
    await store.set('expires', value, { ttlMs: 1 });
    const left = `SELECT convert_from(key, 'UTF8') AS key FROM ${tables.table} WHERE kind < 2`;
    await eventually(async () => expect(await tables.sql(left)).toEqual([{ key: 'expires' }]), {
      withinMs: 10_000,
    });
    expect(mirror.state.size).toBe(0);
    expect((await store.claim('name', 'other', 1_000))!.token).toBeGreaterThan(BigInt(token));
  });
});

describeWith({ own: 'postgres' }, 'a linearizable postgresStore', () => {
  it('loses nothing in a crash when synchronous_commit was turned off after it was checked', async () => {
    const config = { fsync: true, full_page_writes: true, wal_writer_delay: '10s' };
    const server = await startPostgres({ own: true, config });
    onTestFinished(() => server.stop());
    const tables = ending(new Tables(server.url));
    const store = tables.store({ durability: 'linearizable' });
    await store.migrate();
    await store.set('key', value);
    await tables.sql('ALTER SYSTEM SET synchronous_commit = off');
    await tables.sql('SELECT pg_reload_conf()');
    await eventually(
      async () => {
        const fresh = new pg.Client({ connectionString: server.url });
        await fresh.connect();
        const { rows } = await fresh.query('SHOW synchronous_commit');
        await fresh.end();
        expect(rows).toEqual([{ synchronous_commit: 'off' }]);
      },
      { withinMs: 10_000 },
    );
    const version = await store.set('last', value);
    const claim = await store.claim('name', 'holder', 60_000);
    await server.kill();
    await server.restart();
    const after = tables.store();
    await eventually(async () => expect(await after.get('last')).toMatchObject({ version }), {
      withinMs: 10_000,
    });
    expect((await after.claim('name', 'holder', 60_000))?.token).toBe(claim?.token);
  });

  it('is refused again when its server is configured to lose what it acknowledged after it was found fit', async () => {
    const server = await startPostgres({ own: true, config: { fsync: true, full_page_writes: true } });
    onTestFinished(() => server.stop());
    const tables = ending(new Tables(server.url));
    await tables.store().migrate();
    const pool = new pg.Pool({ connectionString: server.url, max: 2 });
    onTestFinished(() => pool.end());
    const backend = new PostgresBackend({
      store: 'postgres',
      pool,
      watchPool: pool,
      table: table(tables.table, 'table'),
      timeoutMs: 10_000,
      prepare: true,
      durability: 'linearizable',
      checkAgainMs: 10,
    });
    const store = ending(new BackendStore('postgres', backend));
    await store.set('key', value);
    const configure = async (setting: string) => {
      await tables.sql(`ALTER SYSTEM SET full_page_writes = ${setting}`);
      await tables.sql('SELECT pg_reload_conf()');
    };
    await configure('off');
    const refused = expect.objectContaining({ code: UnsafeBackendError.code, outcome: 'NotExecuted' });
    await eventually(() => expect(store.set('key', value)).rejects.toEqual(refused), { withinMs: 20_000 });
    await configure('on');
    await eventually(() => store.set('key', value), { withinMs: 20_000 });
  });
});
