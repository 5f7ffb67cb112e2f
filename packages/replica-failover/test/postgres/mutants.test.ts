import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type PostgresCluster, startCluster } from '../../faults/postgres/cluster.ts';
import { postgresServers } from '../../src/adapters/postgres.ts';
import { OutcomeUnknownError, ReplicaSet } from '../../src/index.ts';
import { over } from '../memory/changed-server.ts';

const never = new AbortController().signal;

// What goes wrong on real servers when a step is left out, and that it does not with it
describe('PostgreSQL', () => {
  let cluster: PostgresCluster;
  const clients: pg.Client[] = [];
  beforeEach(async () => {
    cluster = await startCluster();
    await cluster.tell('postgres', 'CREATE TABLE item (n int)');
  });
  afterEach(async () => {
    for (const each of clients.splice(0)) await each.end().catch(() => {});
    await cluster.stop();
  });

  const client = async (id: string) => {
    const connected = new pg.Client({ connectionString: cluster.members.get(id)!.url });
    connected.on('error', () => {});
    await connected.connect();
    clients.push(connected);
    return connected;
  };

  /** What becomes of a commit on the old primary, which lives, when both standbys were detached with their replay held up. */
  const afterDetaching = async (detach: (id: string) => Promise<void>) => {
    const [writer, looker] = [await client('postgres'), await client('postgres')];
    for (const id of ['standby0', 'standby1']) await cluster.tell(id, 'SELECT pg_wal_replay_pause()');
    await writer.query('INSERT INTO item VALUES (1)');
    await Promise.all(['standby0', 'standby1'].map(detach));
    let isAcknowledged = false;
    writer.query('INSERT INTO item VALUES (2)').then(
      () => {
        isAcknowledged = true;
      },
      () => {},
    );
    return async () => {
      const { rows } = await looker.query(
        "SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
      );
      return isAcknowledged ? 'acknowledged' : rows[0].count === 1 ? 'waits' : 'neither yet';
    };
  };

  it('acknowledges nothing when standbys are detached', async () => {
    const detach = async (id: string) => {
      const server = cluster.servers().find(each => each.id === id)!;
      await using administration = await server.administer!(2, never);
      await administration.detach(never);
    };
    await expect.poll(await afterDetaching(detach)).toBe('waits');
  });

  it('acknowledges when they are detached by the setting alone', async () => {
    const detach = (id: string) =>
      cluster.tell(id, "ALTER SYSTEM SET primary_conninfo = ''", 'SELECT pg_reload_conf()');
    // It may wait for a moment first
    await expect.poll(await afterDetaching(detach)).toBe('acknowledged');
  });

  /**
   * A commit is lost with its primary, and the next one has given its number to another transaction, before the set looks.
   *
   * @param change of each client
   */
  const loseACommit = async (change: (client: pg.Client) => pg.Client) => {
    let isHidden = true;
    const servers = postgresServers({
      servers: [...cluster.members].map(([id, { url }]) => ({ id, connection: url })),
      newClient: (connectionString: string) => change(new pg.Client({ connectionString })),
    }).map(server =>
      over(server, {
        look: signal =>
          isHidden && server.id === 'standby0' ? Promise.reject(new Error('hidden')) : server.look(signal),
      }),
    );
    await using set = await ReplicaSet.connect({ servers });
    for (const id of ['standby0', 'standby1']) {
      await cluster.tell(id, "ALTER SYSTEM SET primary_conninfo = ''", 'SELECT pg_reload_conf()');
    }
    const looker = await client('postgres');
    const count = async (question: string) => (await looker.query(question)).rows[0].count;
    await expect.poll(() => count('SELECT count(*)::int AS count FROM pg_stat_replication')).toBe(0);
    const committing = set
      .transaction(db => db.query('INSERT INTO item VALUES (3)'), { timeoutMs: 30_000 })
      .then(
        () => 'Executed',
        error => error,
      );
    await expect
      .poll(() => count("SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event = 'SyncRep'"))
      .toBe(1);
    await cluster.members.get('postgres')!.kill();
    await cluster.tell(
      'standby0',
      "ALTER SYSTEM SET synchronous_standby_names = ''",
      'SELECT pg_reload_conf()',
      'SELECT pg_promote()',
      ...Array.from({ length: 10 }, () => 'INSERT INTO item VALUES (4)'),
    );
    isHidden = false;
    return await committing;
  };

  it('does not say that a commit was executed by its number, when another has got that', async () => {
    expect(await loseACommit(each => each)).toBeInstanceOf(OutcomeUnknownError);
  });

  it('says so when the number is trusted beyond the branch', async () => {
    const trusting = (one: pg.Client) => {
      const query = one.query.bind(one) as (...parameters: unknown[]) => unknown;
      return Object.assign(one, {
        query: (text: unknown, ...more: unknown[]) => {
          const isAsking = typeof text === 'string' && text.includes('pg_xact_status');
          return query(
            isAsking ? 'SELECT pg_xact_status($1::xid8) AS status, $2::text AS instance' : text,
            ...more,
          );
        },
      }) as pg.Client;
    };
    expect(await loseACommit(trusting)).toBe('Executed');
    const { rows } = await (await client('standby0')).query('SELECT FROM item WHERE n = 3');
    expect(rows).toHaveLength(0);
  });
});
