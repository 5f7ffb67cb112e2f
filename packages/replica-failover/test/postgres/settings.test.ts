import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type PostgresCluster, startCluster } from '../../faults/postgres/cluster.ts';
import { postgresServers } from '../../src/adapters/postgres.ts';
import { OutcomeUnknownError, ReplicaSet } from '../../src/index.ts';

describe('settings that work has changed', () => {
  let cluster: PostgresCluster;
  let set: ReplicaSet<pg.Client>;
  beforeAll(async () => {
    cluster = await startCluster();
    await cluster.tell('postgres', 'CREATE TABLE item (n int)', 'CREATE ROLE other');
  });
  afterAll(() => cluster.stop());
  beforeEach(async () => {
    set = await ReplicaSet.connect({ servers: cluster.servers(), maxConnections: 1 });
  });
  afterEach(() => set.close());

  const settingsNow = async (db: pg.Client) => {
    const { rows } = await db.query(`SELECT current_setting('default_transaction_read_only') AS "readOnly",
      current_setting('synchronous_commit') AS commit, current_setting('client_min_messages') AS messages,
      current_setting('statement_timeout') AS timeout, current_user AS user, pg_backend_pid() AS pid`);
    return rows[0];
  };

  it.each([
    'SET default_transaction_read_only = on',
    'SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY',
    'SET synchronous_commit = off',
    "SELECT set_config('synchronous_commit', 'off', false)",
    'SET client_min_messages = error',
    "SET statement_timeout = '1h'",
    'SET ROLE other',
    'RESET synchronous_commit',
  ])('%s is not left to the next', async statement => {
    const before = await set.write(settingsNow);
    for (const call of ['write', 'read', 'transaction'] as const) {
      await set[call](db => db.query(statement));
      expect(await set.write(settingsNow)).toEqual(before);
    }
    // On the same connection, so nothing was waited for but one statement
    await set.transaction(db => db.query('INSERT INTO item VALUES (1)'));
  });

  it('what is local to a transaction costs nothing', async () => {
    const statements: string[] = [];
    await set.transaction(async db => {
      const query = db.query.bind(db) as (...parameters: unknown[]) => never;
      Object.assign(db, {
        query: (...parameters: unknown[]) => {
          statements.push(String(parameters[0]));
          return query(...parameters);
        },
      });
      await db.query("SET LOCAL statement_timeout = '1h'");
      await db.query("SELECT set_config('statement_timeout', '2h', true)");
    });
    await set.read(async () => {});
    expect(statements.filter(each => each.includes('RESET ALL'))).toEqual([]);
  });

  it('what newClient sets itself stays, as its connection is replaced', async () => {
    const server = cluster.members.get('postgres')!;
    await using own = await ReplicaSet.connect({
      maxConnections: 1,
      servers: postgresServers({
        servers: [{ id: 'postgres', connection: server.url }],
        newClient: (connectionString: string) => {
          const client = new pg.Client({ connectionString });
          client.on('connect', () => void client.query("SET statement_timeout = '3h'"));
          return client;
        },
      }),
    });
    const before = await own.write(settingsNow);
    expect(before.timeout).toBe('3h');
    await own.write(db => db.query("SET statement_timeout = '1h'"));
    const after = await own.write(settingsNow);
    expect(after).toEqual({ ...before, pid: expect.any(Number) });
    expect(after.pid).not.toBe(before.pid);
  });

  it('a write that turns acknowledgments off is acknowledged all the same, or Unknown', async () => {
    const hasty = async (db: pg.Client) => {
      await db.query('SET synchronous_commit = local');
      await db.query('INSERT INTO item VALUES (2)');
    };
    await set.write(hasty);
    for (const id of ['standby0', 'standby1']) await cluster.members.get(id)!.kill();
    await expect(set.write(hasty, { timeoutMs: 1_000 })).rejects.toThrow(OutcomeUnknownError);
    for (const id of ['standby0', 'standby1']) await cluster.members.get(id)!.restart();
    await set.write(hasty, { timeoutMs: 20_000 });
  });
});
