import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type PostgresCluster, startCluster } from '../../faults/postgres/cluster.ts';
import { ReplicaSet } from '../../src/index.ts';

describe('transactions that cannot write', () => {
  let cluster: PostgresCluster;
  let set: ReplicaSet<pg.Client>;
  beforeAll(async () => {
    cluster = await startCluster();
    await cluster.tell('postgres', 'CREATE TABLE item (id int)');
  });
  afterAll(() => cluster.stop());
  beforeEach(async () => {
    set = await ReplicaSet.connect({ servers: cluster.servers(), maxConnections: 1 });
  });
  afterEach(() => set.close());

  it('a transaction that its own work has made read only is told so at once, and runs once', async () => {
    let runs = 0;
    const failing = set.transaction(
      async db => {
        runs++;
        await db.query('SET TRANSACTION READ ONLY');
        await db.query('INSERT INTO item VALUES (1)');
      },
      { timeoutMs: 2_000 },
    );
    await expect(failing).rejects.toMatchObject({ code: '25006' });
    expect(runs).toBe(1);
    // The connection serves others, and what it knew of that transaction is over
    await set.transaction(db => db.query('INSERT INTO item VALUES (2)'));
  });
});

it('a server whose processes began anew, as one of them crashed, is another instance', async () => {
  const cluster = await startCluster();
  onTestFinished(() => cluster.stop());
  const [server] = cluster.servers();
  onTestFinished(() => server![Symbol.asyncDispose]());
  const instance = async () => (await server!.look(AbortSignal.timeout(10_000))).instance;
  const before = await instance();
  expect(await instance()).toBe(before);
  const client = new pg.Client({ connectionString: cluster.members.get('postgres')!.url });
  client.on('error', () => {});
  await client.connect();
  const { rows } = await client.query('SELECT pg_backend_pid() AS pid');
  process.kill(rows[0].pid, 'SIGKILL');
  await expect.poll(() => instance().catch(() => before)).not.toBe(before);
});

it('a connection that the server ends is lost at once, as its error comes before its end', async () => {
  const cluster = await startCluster();
  onTestFinished(() => cluster.stop());
  const set = await ReplicaSet.connect({ servers: cluster.servers() });
  onTestFinished(() => set.close());
  let runs = 0;
  const read = set.read(async db => {
    runs++;
    const { rows } = await db.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    if (runs === 1) await db.query('SELECT pg_terminate_backend($1)', [rows[0]!.pid]);
    return rows[0]!.pid;
  });
  expect(await read).toBeGreaterThan(0);
  expect(runs).toBe(2);
});

// Each moves the primary, so each has a cluster of its own
describe('a commit whose answer is lost with its primary', () => {
  let cluster: PostgresCluster;
  beforeEach(async () => {
    cluster = await startCluster();
    await cluster.tell(
      'postgres',
      'CREATE TABLE item (id int)',
      'CREATE TABLE outcome (id uuid PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())',
    );
  });
  afterEach(() => cluster.stop());

  /** Commits while nobody acknowledges, kills the primary when `isReady` says so, and promotes. */
  const lose = async (before: () => Promise<void>, standby: string, ready: string) => {
    await using set = await ReplicaSet.connect({ servers: cluster.servers({ outcomes: 'public.outcome' }) });
    await before();
    let runs = 0;
    const committing = set.transaction(
      db => {
        runs++;
        return db.query('INSERT INTO item VALUES (1)');
      },
      { timeoutMs: 30_000 },
    );
    committing.catch(() => {});
    await expect.poll(() => answer(standby, ready)).toBe(1);
    await cluster.members.get('postgres')!.kill();
    await cluster.tell(
      'standby0',
      "ALTER SYSTEM SET synchronous_standby_names = ''",
      'SELECT pg_reload_conf()',
      'SELECT pg_promote()',
    );
    await committing;
    expect(await answer('standby0', 'SELECT count(*)::int AS count FROM item')).toBe(1);
    return runs;
  };
  const answer = async (id: string, question: string): Promise<number> => {
    const client = new pg.Client({ connectionString: cluster.members.get(id)!.url });
    await client.connect();
    try {
      return (await client.query<{ count: number }>(question)).rows[0]!.count;
    } finally {
      await client.end();
    }
  };

  it('is told as executed when the promoted standby has its row', async () => {
    const nobody = () =>
      cluster.tell(
        'postgres',
        "ALTER SYSTEM SET synchronous_standby_names = 'nobody'",
        'SELECT pg_reload_conf()',
      );
    expect(await lose(nobody, 'standby0', 'SELECT count(*)::int AS count FROM outcome')).toBe(1);
  });

  it('runs again when the promoted standby does not have its row', async () => {
    const alone = async () => {
      for (const id of ['standby0', 'standby1']) {
        await cluster.tell(id, "ALTER SYSTEM SET primary_conninfo = ''", 'SELECT pg_reload_conf()');
      }
      const receivers = 'SELECT count(*)::int AS count FROM pg_stat_replication';
      await expect.poll(() => answer('postgres', receivers)).toBe(0);
    };
    const waits = "SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    expect(await lose(alone, 'postgres', waits)).toBe(2);
  });
});
