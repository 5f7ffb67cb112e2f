import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type PostgresCluster, startCluster } from '../../faults/postgres/cluster.ts';
import { OutcomeUnknownError, ReplicaSet } from '../../src/index.ts';

const never = new AbortController().signal;

/** What users have reported of clients, proxies and operators when the primary changes, tried here. Each test names the report. */

describe('when the primary of PostgreSQL changes', () => {
  let cluster: PostgresCluster;
  let set: ReplicaSet<pg.Client>;
  beforeEach(async () => {
    cluster = await startCluster();
    await cluster.tell('postgres', 'CREATE TABLE item (id int)');
    set = await ReplicaSet.connect({ servers: cluster.servers(), timeoutMs: 60_000 });
  });
  afterEach(async () => {
    await set.close();
    await cluster.stop();
  });
  const insert = (db: pg.Client) => db.query('INSERT INTO item VALUES (1)');
  const portOf = async (db: pg.Client) => Number((await db.query('SHOW port')).rows[0].port);
  const count = async (db: pg.Client) => (await db.query('SELECT count(*)::int AS n FROM item')).rows[0].n;

  it('one that turns read-only beneath its connections fails no write whose refusal arrives; they go to whoever is promoted (discourse/rails_failover 85, cloudnative-pg/cloudnative-pg 1254, brettwooldridge/HikariCP 1971, go-gorm/dbresolver 47)', async () => {
    await Promise.all([1, 2, 3].map(() => set.write(insert)));
    await cluster.tell(
      'postgres',
      'ALTER SYSTEM SET default_transaction_read_only = on',
      'SELECT pg_reload_conf()',
    );
    await expect
      .poll(() => set.read(async db => (await db.query('SHOW default_transaction_read_only')).rows[0]), {
        timeout: 30_000,
      })
      .toEqual({ default_transaction_read_only: 'on' });
    let runs = 0;
    const writing = Promise.allSettled([
      set.write(db => {
        runs++;
        return insert(db);
      }),
      set.transaction(insert),
    ]);
    await expect.poll(() => runs, { timeout: 30_000 }).toBeGreaterThan(1);
    // As the old primary lives, it could give one standby more than the next primary has
    for (const standby of cluster.servers().filter(({ id }) => id !== 'postgres')) {
      const administration = await standby.administer!(1, never);
      await administration.detach(never);
      await administration[Symbol.asyncDispose]();
      await standby[Symbol.asyncDispose]();
    }
    await cluster.promoteMostAdvanced();
    // Only one whose refusal was on its way when its connection was ended cannot be told
    const written = await writing;
    for (const each of written) {
      if (each.status === 'rejected') expect(each.reason).toBeInstanceOf(OutcomeUnknownError);
    }
    expect(await set.write(portOf)).not.toBe(cluster.members.get('postgres')!.port);
    expect(await set.read(count)).toBe(3 + written.filter(({ status }) => status === 'fulfilled').length);
    for (let n = 0; n < 5; n++) await set.read(portOf, { consistency: 'eventual' });
  });

  it('a server that says that it shuts down or starts up is waited for, also when all do (brianc/node-postgres 2650, 1075, discourse/rails_failover 16)', async () => {
    await set.write(insert);
    await Promise.all([...cluster.members.values()].map(server => server.kill()));
    // What is sent on a connection whose end was not seen yet is Unknown
    await expect
      .poll(() => set.snapshot().servers.map(({ state }) => state))
      .toEqual(['down', 'down', 'down']);
    const waiting = [set.write(insert), set.transaction(insert), set.read(count)];
    await Promise.all([...cluster.members.values()].map(server => server.restart()));
    const counted = (await Promise.all(waiting))[2];
    expect(counted).toBeGreaterThanOrEqual(1);
    expect(await set.read(count)).toBe(3);
    await set.read(portOf, { consistency: 'eventual' });
  });
});
