import { ReplicaSet } from '@ashlar/replica-failover';
import { postgresServers } from '@ashlar/replica-failover/postgres';
import { memoryStore } from '@ashlar/store';
import { startPostgres } from '@workspace/services';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ShardRouter } from '../../src/router.ts';

describe('a transaction that the database ends', () => {
  let server: Awaited<ReturnType<typeof startPostgres>>;
  let shard: ReplicaSet<pg.Client>;
  let router: ShardRouter<pg.Client>;
  const store = memoryStore();
  beforeAll(async () => {
    server = await startPostgres({ own: true, config: { deadlock_timeout: '50ms' } });
    const servers = postgresServers({
      servers: [{ id: 'one', connection: server.url }],
      newClient: (connectionString: string) => new pg.Client({ connectionString }),
    });
    shard = await ReplicaSet.connect({ servers });
    router = new ShardRouter({ shards: { one: shard }, store, key: 'text' });
    await router.ready();
    await router
      .on('x')
      .write(db =>
        db.query(
          'CREATE TABLE account (id int PRIMARY KEY, n int NOT NULL); INSERT INTO account VALUES (1, 0), (2, 0)',
        ),
      );
  }, 60_000);
  afterAll(async () => {
    await router.close();
    await shard.close();
    await store.close();
    await server.stop();
  });

  const counts = async () => {
    const { rows } = await router.on('x').read(db => db.query('SELECT n FROM account ORDER BY id'));
    return rows.map(row => row.n);
  };

  it('as the victim of a deadlock runs again, and takes effect once', async () => {
    const begun = [1, 2].map(() => {
      let done!: () => void;
      const promise = new Promise<void>(resolve => {
        done = resolve;
      });
      return { promise, done };
    });
    let runs = 0;
    const both = [1, 2].map(first =>
      router.on('x').transaction(async db => {
        runs++;
        await db.query('UPDATE account SET n = n + 1 WHERE id = $1', [first]);
        begun[first - 1]!.done();
        await Promise.all(begun.map(each => each.promise));
        await db.query('UPDATE account SET n = n + 1 WHERE id = $1', [3 - first]);
      }),
    );
    await Promise.all(both);
    expect(runs).toBe(3);
    expect(await counts()).toEqual([2, 2]);
  });

  it('again and again is given up, with the error of the database', async () => {
    const before = await counts();
    let runs = 0;
    const never = router.on('x').transaction(async db => {
      runs++;
      await db.query('UPDATE account SET n = n + 1');
      await db.query("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001', MESSAGE = 'not now'; END $$");
    });
    await expect(never).rejects.toMatchObject({ code: '40001' });
    expect(runs).toBe(4);
    expect(await counts()).toEqual(before);
  });
});
