import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type PostgresCluster, startCluster } from '../../faults/postgres/cluster.ts';
import { postgresServers } from '../../src/adapters/postgres.ts';
import { ReplicaSet } from '../../src/index.ts';

/** What users of other drivers, poolers and ORMs have reported, tried here. Each test names the report. */

describe('on PostgreSQL', () => {
  let cluster: PostgresCluster;
  let set: ReplicaSet<pg.Client>;
  beforeAll(async () => {
    cluster = await startCluster();
    await cluster.tell('postgres', 'CREATE TABLE item (id int)');
    for (const id of ['standby0', 'standby1']) {
      await cluster.tell(id, 'ALTER SYSTEM SET max_standby_streaming_delay = 0', 'SELECT pg_reload_conf()');
    }
  });
  afterAll(() => cluster.stop());
  beforeEach(async () => {
    set = await ReplicaSet.connect({ servers: cluster.servers(), maxConnections: 2 });
  });
  afterEach(() => set.close());

  /** Ends every idle connection to the servers, but not those that watch them. */
  const endIdle = async () => {
    for (const id of cluster.members.keys()) {
      await cluster.tell(
        id,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend'
          AND state = 'idle' AND pid <> pg_backend_pid() AND query NOT LIKE '%isReplica%'`,
      );
    }
  };
  /** Until then, the primary reads. */
  const replicasAre = (state: string) =>
    expect
      .poll(() =>
        set
          .snapshot()
          .servers.filter(each => each.role === 'replica')
          .map(each => each.state),
      )
      .toEqual([state, state]);
  const all = (n: number) => Array.from({ length: n });
  const insert = (db: pg.Client) => db.query('INSERT INTO item VALUES (1)');
  const portOf = async (db: pg.Client) => Number((await db.query('SHOW port')).rows[0].port);

  it('a connection that was ended while idle neither ends the process nor is handed out (bytebase/dbhub 422, brianc/node-postgres 2112)', async () => {
    await Promise.all(all(4).map(() => set.write(insert)));
    await Promise.all(all(4).map(() => set.read(portOf, { consistency: 'eventual' })));
    await endIdle();
    await Promise.all(all(4).map(() => set.write(insert)));
    await Promise.all(all(4).map(() => set.read(portOf, { consistency: 'eventual' })));
  });

  it('nor is one that was ended while the process did nothing, as a frozen one does (brianc/node-postgres 2112)', async () => {
    await set.write(insert);
    const ender = new pg.Client({ connectionString: cluster.members.get('postgres')!.url });
    await ender.connect();
    onTestFinished(() => ender.end());
    const ended = ender.query(`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
      WHERE backend_type = 'client backend' AND query LIKE 'INSERT INTO item%'`);
    await new Promise(resolve => setImmediate(resolve)); // it is sent
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    await set.write(insert);
    await ended;
  });

  it('one that ends in use, between two statements, does not end the process (prisma/orm 30081, brianc/node-postgres 3202)', async () => {
    let runs = 0;
    await set.transaction(async db => {
      runs++;
      const { rows } = await db.query('SELECT pg_backend_pid() AS pid');
      if (runs === 1) {
        const isEnded = new Promise(resolve => db.on('end', () => resolve(undefined)));
        await cluster.tell('postgres', `SELECT pg_terminate_backend(${rows[0].pid})`);
        await isEnded;
      }
      await insert(db);
    });
    expect(runs).toBe(2);
  });

  it('a connection that may not write is not used again (gpustack/gpustack 6105, aws/aws-advanced-nodejs-wrapper 673)', async () => {
    await using narrow = await ReplicaSet.connect({ servers: cluster.servers(), maxConnections: 1 });
    // As a function of the database may do it: the text of the statement does not show it
    const readOnly = "DO $$ BEGIN EXECUTE 'SET default_transaction_' || 'read_only = on'; END $$";
    await narrow.write(db => db.query(readOnly));
    let runs = 0;
    await narrow.write(db => {
      runs++;
      return insert(db);
    });
    expect(runs).toBe(2);
  });

  it('a read that stands in the way of replay runs elsewhere (SocialGouv/kontinuous 436)', async () => {
    const ports: number[] = [];
    await set.write(insert);
    await replicasAre('up');
    const count = await set.read(
      async db => {
        const port = await portOf(db);
        ports.push(port);
        const isFirst = ports.length === 1;
        const counted = db.query(`SELECT count(*)::int AS count${isFirst ? ', pg_sleep(20)' : ''} FROM item`);
        if (isFirst) {
          counted.catch(() => {});
          const [id] = [...cluster.members].find(([, member]) => member.port === port)!;
          const client = await connected(id);
          const question = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
          await expect.poll(async () => (await client.query(question)).rows[0].n).toBe(1);
          await cluster.tell('postgres', 'TRUNCATE item');
        }
        return (await counted).rows[0].count;
      },
      { consistency: 'eventual' },
    );
    expect(count).toBe(0);
    expect(new Set(ports).size).toBe(2);
  });

  it('a host that says nothing does not hold up the others (porsager/postgres 815, 988)', async () => {
    const sockets = new Set<Socket>();
    const silent = createServer(socket => sockets.add(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });
    const hosts = [
      {
        id: 'silent',
        connection: `postgres://postgres@127.0.0.1:${(silent.address() as AddressInfo).port}/postgres`,
      },
      { id: 'nobody', connection: 'postgres://postgres@127.0.0.1:1/postgres' },
      ...[...cluster.members].map(([id, { url }]) => ({ id, connection: url })),
    ];
    const newClient = (connectionString: string) => new pg.Client({ connectionString });
    await using wide = await ReplicaSet.connect({ servers: postgresServers({ servers: hosts, newClient }) });
    await wide.write(insert);
    await Promise.all(all(10).map(() => wide.read(portOf, { consistency: 'eventual' })));
  });

  it('a replica reads in a transaction of its own, at one moment (sequelize 7323)', async () => {
    const counts = await set.read(
      async db => {
        await db.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
        const before = await db.query('SELECT count(*)::int AS n FROM item');
        await set.write(insert);
        const after = await db.query('SELECT count(*)::int AS n FROM item');
        await db.query('COMMIT');
        return [before.rows[0].n, after.rows[0].n];
      },
      { consistency: 'eventual' },
    );
    expect(counts[1]).toBe(counts[0]);
  });

  it.each([
    'INSERT INTO item VALUES (1)',
    'SELECT * FROM item FOR UPDATE',
    "SELECT nextval('counter')",
    "SELECT setval('counter', 7)",
  ])(
    'a write within a read is refused by the replica, and is not done on the primary: %s (typeorm 9427, prometheus-postgresql-adapter 12, postgresml/pgcat 410, 489, 750)',
    async statement => {
      await set.write(db => db.query('CREATE SEQUENCE IF NOT EXISTS counter'));
      let runs = 0;
      await replicasAre('up');
      const reading = () =>
        set.read(
          db => {
            runs++;
            return db.query(statement);
          },
          { consistency: 'eventual' },
        );
      // The sequence has to come to the replicas first
      await expect.poll(() => reading().catch(error => error.code)).toBe('25006');
      runs = 0;
      await expect(reading()).rejects.toMatchObject({ code: '25006' });
      expect(runs).toBe(1);
      await set.write(db => db.query(statement));
    },
  );

  it.each([
    "SET search_path = 'tenant_7'",
    'SET ROLE pg_monitor',
    "SELECT 1; SET statement_timeout = '5s'",
    "SELECT set_config('search_path', 'tenant_7', false)",
  ])(
    'what a call sets for its session is not what the next one gets: %s (brianc/node-postgres 391, 2897, ujeenet/rustango 1224)',
    async statement => {
      await using narrow = await ReplicaSet.connect({ servers: cluster.servers(), maxConnections: 1 });
      const settings = async (db: pg.Client) =>
        (
          await db.query(
            `SELECT current_user, current_setting('search_path') AS path, current_setting('statement_timeout') AS timeout`,
          )
        ).rows[0] as object;
      const before = await narrow.write(settings);
      const changed = await narrow.write(async db => {
        await db.query(statement);
        return settings(db);
      });
      expect(changed).not.toEqual(before);
      expect(await narrow.write(settings)).toEqual(before);
    },
  );

  it.each(['SELECT pg_advisory_lock(7)', 'LISTEN news', 'CREATE TEMP TABLE item (id text)'])(
    'what a call leaves on its session is not what the next one gets: %s (brianc/node-postgres 391, 2897, ujeenet/rustango 1224)',
    async statement => {
      await using narrow = await ReplicaSet.connect({ servers: cluster.servers(), maxConnections: 1 });
      const pid = async (db: pg.Client) =>
        (await db.query('SELECT pg_backend_pid() AS pid')).rows[0].pid as number;
      const before = await narrow.write(async db => {
        await db.query(statement);
        return pid(db);
      });
      expect(await narrow.write(pid)).not.toBe(before);
    },
  );

  it('what a call does in its transaction alone costs no connection (brianc/node-postgres 391)', async () => {
    await using narrow = await ReplicaSet.connect({ servers: cluster.servers(), maxConnections: 1 });
    const pid = async (db: pg.Client) =>
      (await db.query('SELECT pg_backend_pid() AS pid')).rows[0].pid as number;
    const before = await narrow.transaction(async db => {
      await db.query("SET LOCAL search_path = 'tenant_7'");
      await db.query("SELECT set_config('app.tenant', '7', true)");
      await db.query('SELECT pg_advisory_xact_lock(7)');
      return pid(db);
    });
    await narrow.write(db => db.query('UPDATE public.item SET id = 2 WHERE false'));
    expect(await narrow.write(pid)).toBe(before);
  });

  it('a transaction reads what it has written (pgpool/pgpool2 5, drizzle-team/drizzle-orm 6234, goauthentik/authentik 19086)', async () => {
    const found = await set.transaction(async db => {
      await db.query('DELETE FROM item');
      await insert(db);
      return (await db.query('SELECT count(*)::int AS n FROM item')).rows[0].n;
    });
    expect(found).toBe(1);
  });

  const connected = async (id: string) => {
    const client = new pg.Client({ connectionString: cluster.members.get(id)!.url });
    client.on('error', () => {});
    await client.connect();
    onTestFinished(() => client.end());
    return client;
  };
});

it('reads go on while there is no primary, and the pool of the earlier one is not kept (sequelize 9845, npgsql/efcore.pg 1306)', async () => {
  const cluster = await startCluster();
  onTestFinished(() => cluster.stop());
  await cluster.tell('postgres', 'CREATE TABLE item (id int)');
  await using set = await ReplicaSet.connect({ servers: cluster.servers() });
  await set.write(db => db.query('INSERT INTO item VALUES (1)'));
  await cluster.members.get('postgres')!.kill();
  for (let n = 0; n < 10; n++) await set.read(db => db.query('SELECT 1'), { consistency: 'eventual' });
  await cluster.tell(
    'standby0',
    "ALTER SYSTEM SET synchronous_standby_names = ''",
    'SELECT pg_reload_conf()',
    'SELECT pg_promote()',
  );
  await set.write(db => db.query('INSERT INTO item VALUES (2)'));
  const { port } = cluster.members.get('standby0')!;
  expect(await set.write(async db => Number((await db.query('SHOW port')).rows[0].port))).toBe(port);
});
