import { memoryStore } from '@ashlar/store';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type PostgresCluster, startCluster } from '../../../faults/postgres/cluster.ts';
import { leading, NoStandbyError, ReplicaSet } from '../../../src/index.ts';

// The tests go on from each other: one cluster, and the order in which they stand
describe('members over PostgreSQL', () => {
  let cluster: PostgresCluster;
  let store: ReturnType<typeof memoryStore>;
  let set: ReplicaSet<pg.Client>;
  beforeAll(async () => {
    cluster = await startCluster();
    await cluster.tell('postgres', 'CREATE TABLE item (n int)');
    store = memoryStore();
  });
  afterAll(async () => {
    await store.close();
    await cluster.stop();
  });
  beforeEach(async () => {
    set = await ReplicaSet.connect({ authority: leading({ store }), servers: cluster.servers() });
  });
  afterEach(() => set.close());

  const insert = (n: number) => (db: pg.Client) => db.query('INSERT INTO item VALUES ($1)', [n]);
  const names = async () => {
    const client = new pg.Client({ connectionString: cluster.members.get('postgres')!.url });
    await client.connect();
    try {
      return (await client.query('SHOW synchronous_standby_names')).rows[0].synchronous_standby_names;
    } finally {
      await client.end();
    }
  };

  it('a standby that is slow to connect is told', async () => {
    const change = (value: string) =>
      cluster.tell(
        'standby1',
        `ALTER SYSTEM ${value}`,
        'SELECT pg_reload_conf()',
        // A reload reaches a session in its own time
        'SELECT pg_sleep(0.1)',
      );
    expect(set.snapshot().leading?.warnings).toEqual([]);
    await change("SET wal_retrieve_retry_interval = '5s'");
    await using other = await ReplicaSet.connect({
      authority: leading({ store }),
      servers: cluster.servers(),
    });
    await expect
      .poll(() => other.snapshot().leading?.warnings)
      .toEqual([expect.stringContaining('standby1: wal_retrieve_retry_interval is 5000 ms')]);
    await change('RESET wal_retrieve_retry_interval');
  });

  it('are removed and added on the primary, never the last (hapostgres/pg_auto_failover 445)', async () => {
    await set.changeMembers({ remove: ['standby0'] });
    await expect.poll(names).toBe('ANY 1 ("standby1")');
    await expect(set.changeMembers({ remove: ['standby1'] })).rejects.toThrow(/0 standbys would be left/);
    await set.transaction(insert(1));
    await set.changeMembers({ add: ['standby0'] });
    await expect.poll(names).toBe('ANY 1 ("standby1", "standby0")');
  });

  it('without them a write waits and was not executed; to degrade is explicit and recorded', async () => {
    for (const id of ['standby0', 'standby1']) await cluster.members.get(id)!.kill();
    const lacking = () =>
      set
        .write(async () => {}, { timeoutMs: 100 })
        .then(
          () => undefined,
          error => error,
        );
    await expect.poll(lacking).toBeInstanceOf(NoStandbyError);
    const waiting = set.transaction(insert(2), { timeoutMs: 30_000 });
    await set.changeMembers({ synchronous: 0 });
    await waiting;
    expect(await names()).toBe('');
    expect(set.snapshot().leading).toMatchObject({ synchronous: 0, loss: expect.any(String) });
    for (const id of ['standby0', 'standby1']) await cluster.members.get(id)!.restart();
    await set.changeMembers({ synchronous: 1 });
    await set.transaction(insert(3), { timeoutMs: 30_000 });
    const { rows } = await set.read(db => db.query('SELECT n FROM item ORDER BY n'));
    expect(rows).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  });
});
