import pg from 'pg';
import { beforeEach, describe, expect, it } from 'vitest';
import { type PostgresCluster, signalAll, startCluster } from '../../../faults/postgres/cluster.ts';
import { Session, TermPassedError } from '../../../src/index.ts';
import { ledServers } from '../../led.ts';

const never = new AbortController().signal;

// Each moves the primary, so each has a cluster of its own
describe('leading over PostgreSQL', () => {
  const led = ledServers(startCluster);
  let cluster: PostgresCluster;
  beforeEach(() => {
    cluster = led.servers;
  });
  const connect = (options?: { readonly outcomes: string }) =>
    led.connect({ servers: cluster.servers(options) });
  const insert = (id: number) => (db: pg.Client) => db.query('INSERT INTO item VALUES ($1)', [id]);
  const ids = async (db: pg.Client) => {
    const { rows } = await db.query<{ id: number }>('SELECT id FROM item ORDER BY id');
    return rows.map(({ id }) => id);
  };
  const primary = () => cluster.members.get('postgres')!;

  it('promotes a standby when the primary is killed, which loses nothing; however often that comes back, it is fenced (EnterpriseDB/repmgr 42, 766, bitnami/charts 2610, 20998)', async () => {
    const set = await connect();
    const session = new Session();
    await set.write(db => db.query('CREATE TABLE item (id int PRIMARY KEY)'), { session });
    await set.transaction(insert(1), { session });
    await primary().kill();
    await set.transaction(insert(2), { session });
    expect(set.snapshot().term).toBe(2);
    // Only a standby that follows the new primary has let it acknowledge
    expect(await set.read(ids, { session })).toEqual([1, 2]);
    await primary().restart();
    const old = () => set.snapshot().servers.find(({ id }) => id === 'postgres');
    await expect.poll(old).toMatchObject({ role: 'primary', isFenced: true });
    await expect(cluster.tell('postgres', 'INSERT INTO item VALUES (9)')).rejects.toThrow(/read-only/);
    await primary().kill();
    await primary().restart();
    await expect(cluster.tell('postgres', 'INSERT INTO item VALUES (9)')).rejects.toThrow(/read-only/);
    await set.transaction(insert(3), { session });
    expect(await set.read(ids, { session })).toEqual([1, 2, 3]);
  });

  it('promotes for a primary that stands still, when two processes find it so, and nothing of it is acknowledged (hapostgres/pg_auto_failover 1032)', async () => {
    const [one, other] = [await connect(), await connect()];
    await one.write(db => db.query('CREATE TABLE item (id int PRIMARY KEY)'));
    await one.transaction(insert(1));
    signalAll(primary(), 'SIGSTOP');
    try {
      const down = () => one.snapshot().servers.find(({ id }) => id === 'postgres')?.state;
      await expect.poll(down).toBe('down');
      await one.transaction(insert(2));
      await other.transaction(insert(3));
      expect(one.snapshot()).toMatchObject({ term: 2, primary: other.snapshot().primary });
    } finally {
      signalAll(primary(), 'SIGCONT');
    }
    expect(await one.read(ids)).toEqual([1, 2, 3]);
  });

  it('detaches a standby although its replay is paused and a query holds it up', async () => {
    const set = await connect();
    await set.write(db => db.query('CREATE TABLE item (id int PRIMARY KEY)'));
    await cluster.tell('standby0', 'SELECT pg_wal_replay_pause()');
    await set.transaction(insert(1));
    await primary().kill();
    await set.transaction(insert(2));
    expect(await set.read(ids)).toEqual([1, 2]);
  });

  it('tells by its row what became of a commit whose answer was lost with the primary', async () => {
    await cluster.tell(
      'postgres',
      'CREATE TABLE item (id int)',
      'CREATE TABLE outcome (id uuid PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())',
    );
    const set = await connect({ outcomes: 'public.outcome' });
    await set.transaction(insert(1));
    const standbys = ['standby0', 'standby1'].map(id => cluster.members.get(id)!);
    for (const each of standbys) signalAll(each, 'SIGSTOP');
    let runs = 0;
    const committing = set.transaction(
      db => {
        runs++;
        return insert(2)(db);
      },
      { timeoutMs: 40_000 },
    );
    const waiting = async () => {
      const client = new pg.Client({ connectionString: primary().url });
      await client.connect();
      const { rows } = await client.query(
        "SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
      );
      await client.end();
      return rows[0].count;
    };
    await expect.poll(waiting).toBe(1);
    await primary().kill();
    for (const each of standbys) signalAll(each, 'SIGCONT');
    await committing;
    // Whether a standby had got it or not: it is there once
    expect(await set.read(ids)).toEqual([1, 2]);
    expect(runs).toBeLessThanOrEqual(2);
  });

  it('a server ends the session of an earlier term, and refuses it afterwards', async () => {
    const standby = cluster.servers().find(({ id }) => id === 'standby0')!;
    const early = await standby.administer!(5, never);
    const late = await standby.administer!(6, never);
    await expect(early.detach(never)).rejects.toThrow();
    await expect(standby.administer!(5, never)).rejects.toThrow(TermPassedError);
    await late.detach(never);
    await late.follow('postgres');
    await late[Symbol.asyncDispose]();
    await standby[Symbol.asyncDispose]();
  });
});
