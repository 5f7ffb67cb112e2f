import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { eventually, type Postgres, startPostgres, startTcpProxy, type TcpProxy } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import type { PoolConfig } from 'pg';
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { serverStarted, statementsFor } from '../../src/adapters/postgres/statements.ts';
import { table } from '../../src/adapters/postgres/table.ts';
import type { PostgresStore } from '../../src/adapters/postgres.ts';
import type { Store } from '../../src/store.ts';
import { bytes, textOf } from '../support/bytes.ts';
import { ending } from '../support/stores.ts';
import { Tables } from './tables.ts';

const patient = { withinMs: 10_000 } as const;

describeWith({ own: 'postgres' }, 'a write that was lost on its way', () => {
  let server: Postgres;
  let proxy: TcpProxy;
  let tables: Tables;

  beforeAll(async () => {
    server = await startPostgres({ own: true });
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    proxy = ending(await startTcpProxy({ target: server.port }));
    tables = ending(new Tables(server.url));
  });

  /** A store with a connection that its next operation takes. */
  async function connected(pooled: PoolConfig = {}): Promise<PostgresStore> {
    const connectionString = server.url.replace(`:${server.port}/`, `:${proxy.port}/`);
    const store = tables.store({ timeoutMs: 1_000 }, { connectionString, ...pooled });
    await store.migrate();
    await store.set('key', bytes('before'));
    return store;
  }

  /** The sessions of the store, as the server knows them. */
  async function sessions(): Promise<unknown[]> {
    const text = 'SELECT pid FROM pg_stat_activity WHERE application_name = $1';
    return (await tables.sql(text, [tables.table])).map(({ pid }) => pid);
  }

  /** Loses what it does in a black hole, and lets that reach the server after `later` was done. */
  async function lose(lost: Promise<unknown>, later: () => Promise<unknown>): Promise<void> {
    const [pid] = await sessions();
    await expect(lost).rejects.toMatchObject({ outcome: 'Unknown' });
    await later();
    proxy.resume();
    await eventually(async () => expect(await sessions()).not.toContain(pid), patient);
  }

  it.each<[string, (store: Store) => Promise<unknown>]>([
    ['set', store => store.set('key', bytes('late'))],
    ['setMany', store => store.setMany([['key', bytes('late')]])],
    ['delete', store => store.delete('key')],
  ])('does not come after a later one: %s', async (_, write) => {
    const store = await connected();
    proxy.stall('present');
    await lose(write(store), () => store.set('key', bytes('new')));
    expect(textOf(await store.get('key'))).toBe('new');
  });

  it('does not come after a read either', async () => {
    const store = await connected();
    proxy.stall('present');
    await lose(store.set('key', bytes('late')), async () => {
      expect(textOf(await store.get('key'))).toBe('before');
    });
    expect(textOf(await store.get('key'))).toBe('before');
  });

  it('does not come when it waits for a row at the server, and a later one waits behind it', async () => {
    const store = await connected();
    const holder = await tables.admin.connect();
    onTestFinished(() => holder.release(true));
    await holder.query('BEGIN');
    await holder.query(`SELECT FROM ${tables.table} WHERE kind = 0 AND key = 'key' FOR UPDATE`);
    await expect(store.set('key', bytes('late'))).rejects.toMatchObject({ outcome: 'Unknown' });
    await store.set('other', bytes('new'));
    await holder.query('COMMIT');
    expect(textOf(await tables.store().get('key'))).toBe('before');
  });

  it('takes its own session with it, and no other', async () => {
    const store = await connected({ max: 2 });
    const others = [1, 2].map(() => tables.store({}, { application_name: 'another' }));
    for (const other of others) await other.get('key');
    const all = async () => (await tables.sql('SELECT pid FROM pg_stat_activity')).map(({ pid }) => pid);
    const before = await all();
    proxy.stall('present');
    await lose(store.set('key', bytes('late')), () => store.set('key', bytes('new')));
    const left = await all();
    expect(before.filter(pid => !left.includes(pid))).toHaveLength(1);
  });

  it('has a session that is known by its process id, its age and its server', async () => {
    const { text } = statementsFor(table(tables.table, 'table'), 'asynchronous').endSessions;
    const [{ started } = {}] = await tables.sql(`SELECT ${serverStarted} AS started`);
    const session = await tables.admin.connect();
    session.on('error', () => {});
    onTestFinished(() => session.release(true));
    const [{ pid } = {}] = (await session.query('SELECT pg_backend_pid() AS pid')).rows;
    const found = async (age: number, server: unknown) =>
      (await tables.sql(text, [[pid], [age], [server]])).length;
    expect(await found(86_400_000, started)).toBe(0);
    expect(await found(0, `${started}1`)).toBe(0);
    expect(await found(0, null)).toBe(0);
    await session.query('SELECT'); // it is still there
    expect(await found(0, started)).toBe(1);
    await eventually(async () => expect(await found(0, started)).toBe(0), patient);
  });

  it('may come where the user may not end sessions, and the store says so', async () => {
    await connected();
    await tables.sql(`DO $$ BEGIN CREATE ROLE lesser; EXCEPTION WHEN duplicate_object THEN NULL; END $$`);
    await tables.sql('CREATE ROLE many LOGIN').catch(() => {});
    await tables.sql('GRANT lesser TO many');
    await tables.sql(`GRANT ALL ON ${tables.table} TO lesser`);
    const warnings: unknown[] = [];
    const listener = (message: unknown): void => void warnings.push(message);
    subscribe('ashlar:store:warning', listener);
    onTestFinished(() => void unsubscribe('ashlar:store:warning', listener));
    const connectionString = server.url.replace(/\/\/[^@/]*@?[^/]*\//, `//many@127.0.0.1:${proxy.port}/`);
    const store = tables.store({ timeoutMs: 1_000 }, { connectionString, options: '-c role=lesser' });
    await store.get('key');
    proxy.stall('present');
    await expect(store.set('key', bytes('late'))).rejects.toMatchObject({ outcome: 'Unknown' });
    await store.set('key', bytes('new'));
    const warning = expect.stringContaining('may not end sessions whose answer was lost');
    expect(warnings).toContainEqual({ store: 'postgres', warning });
  });
});
