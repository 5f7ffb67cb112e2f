import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type PostgresCluster, startCluster } from '../../faults/postgres/cluster.ts';
import { postgresServers } from '../../src/adapters/postgres.ts';
import { OpenTransactionError, OutcomeUnknownError, ReplicaSet } from '../../src/index.ts';

describe('writes on PostgreSQL', () => {
  let cluster: PostgresCluster;
  let set: ReplicaSet<pg.Client>;
  beforeAll(async () => {
    cluster = await startCluster();
    await cluster.tell('postgres', 'CREATE TABLE item (id int)');
  });
  afterAll(() => cluster.stop());
  beforeEach(async () => {
    set = await ReplicaSet.connect({ servers: cluster.servers() });
  });
  afterEach(() => set.close());
  const insert = (db: pg.Client) => db.query('INSERT INTO item VALUES (1)');
  const acknowledgedBy = (names: string) =>
    cluster.tell(
      'postgres',
      `ALTER SYSTEM SET synchronous_standby_names = '${names}'`,
      'SELECT pg_reload_conf()',
    );

  /** Ends the wait of a commit that nobody acknowledges, as an operator may. */
  const endWait = async () => {
    const client = new pg.Client({ connectionString: cluster.members.get('postgres')!.url });
    await client.connect();
    try {
      const waiting = `SELECT count(pg_cancel_backend(pid))::int AS count FROM pg_stat_activity
        WHERE wait_event = 'SyncRep'`;
      await expect.poll(async () => (await client.query(waiting)).rows[0].count).toBe(1);
    } finally {
      await client.end();
    }
  };

  it.each<[string, (set: ReplicaSet<pg.Client>) => Promise<unknown>]>([
    ['a write', set => set.write(insert)],
    ['a transaction', set => set.transaction(insert)],
    [
      'a transaction whose work asks for less',
      set =>
        set.transaction(async db => {
          await db.query('SET LOCAL synchronous_commit = off; SET LOCAL client_min_messages = error');
          await insert(db);
        }),
    ],
  ])('%s whose wait for the standbys was ended is Unknown', async (_, write) => {
    await acknowledgedBy('nobody');
    try {
      const writing = write(set);
      writing.catch(() => {});
      await endWait();
      await expect(writing).rejects.toThrow(OutcomeUnknownError);
    } finally {
      await acknowledgedBy('ANY 1 (standby0, standby1)');
    }
  });

  it('waits for the standbys though the role is set not to', async () => {
    const [id, { url }] = [...cluster.members][0]!;
    const options = '-c synchronous_commit=off -c client_min_messages=error';
    const newClient = (connectionString: string) => new pg.Client({ connectionString, options });
    await using weak = await ReplicaSet.connect({
      servers: postgresServers({ servers: [{ id, connection: url }], newClient }),
    });
    const { rows } = await weak.write(db =>
      db.query(
        "SELECT current_setting('synchronous_commit') AS commit, current_setting('client_min_messages') AS messages",
      ),
    );
    expect(rows).toEqual([{ commit: 'on', messages: 'warning' }]);
  });

  it('a write that leaves a transaction open is told so, and it is rolled back', async () => {
    const leaving = set.write(async db => {
      await db.query('BEGIN');
      await db.query('INSERT INTO item VALUES (7)');
    });
    await expect(leaving).rejects.toThrow(OpenTransactionError);
    const { rows } = await set.read(db => db.query('SELECT FROM item WHERE id = 7'));
    expect(rows).toEqual([]);
  });

  it.each(['serializable', 'REPEATABLE READ', 'read-committed'])(
    'a transaction is %s when asked',
    async isolation => {
      const { rows } = await set.transaction(db => db.query('SHOW transaction_isolation'), { isolation });
      expect(rows[0].transaction_isolation).toBe(isolation.toLowerCase().replace('-', ' '));
    },
  );

  it('an isolation that there is not is refused before anything is sent', async () => {
    const asked = set.transaction(insert, { isolation: 'snapshot; DROP TABLE item' });
    await expect(asked).rejects.toThrow('`isolation` must be "read committed" or "repeatable read"');
  });
});
