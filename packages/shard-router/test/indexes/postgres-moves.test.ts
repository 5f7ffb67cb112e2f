import { memoryStore } from '@ashlar/store';
import { type Postgres, startPostgres } from '@workspace/services';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { indexTables, postgresMoves } from '../../src/adapters/postgres.ts';
import { Mover } from '../../src/index.ts';
import { postgresShards } from '../two-phase/accounts.ts';
import { ddl, faultsOf, tables, type Users, usersRouter } from './users.ts';

const store = memoryStore();
const servers: Record<'one' | 'two', Postgres> = {} as never;
const ends: (() => Promise<unknown>)[] = [() => store.close()];
let router: Users;

beforeAll(async () => {
  for (const name of ['one', 'two'] as const) {
    servers[name] = await startPostgres({ own: true, config: { wal_retrieve_retry_interval: '100ms' } });
    ends.push(() => servers[name].stop());
    const client = new pg.Client({ connectionString: servers[name].url });
    await client.connect();
    await client.query(`${ddl}; ${indexTables(tables, 'text')}`);
    await client.end();
  }
  const shards = await postgresShards({ one: servers.one.url, two: servers.two.url });
  for (const shard of Object.values(shards)) ends.push(() => shard.close());
  const first = usersRouter({ one: shards['one'] }, store);
  await first.ready();
  await first.close();
  router = usersRouter(shards, store, { inDoubtMs: 500 });
  ends.push(() => router.close());
  await router.ready();
});
afterAll(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

it('indexes move with the rows between servers of PostgreSQL while both are written', async () => {
  const backend = postgresMoves({
    shards: Object.fromEntries(
      Object.entries(servers).map(([name, { url, port }]) => [
        name,
        {
          client: () => new pg.Client({ connectionString: url }),
          replication: `host=127.0.0.1 port=${port} user=postgres dbname=postgres`,
        },
      ]),
    ),
  });
  ends.push(() => backend.close());
  // However busy the machine is, the move comes to its end
  const limits = { pauseMs: 10_000, fenceMs: 2_000, lagMs: 2_000, steadyMs: 50 };
  const mover = new Mover({ store, tables, backend, ...limits });
  ends.push(() => mover.close());
  const users = router.table('users');
  const mine = Array.from({ length: 40 }, (_, n) => ({
    tenant: `t${n}`,
    id: n,
    mail: `m${n}`,
    town: `o${n % 3}`,
  }));
  for (const row of mine) await users.insert(row);

  let isOver = false;
  let done = 0;
  const failed: unknown[] = [];
  const writers = [0, 1].map(async worker => {
    for (let n = 0; !isOver; n++) {
      const { tenant, id } = mine[(n * 7 + worker * 3) % 40]!;
      const row = { tenant, id, mail: `m${(n * 11 + worker) % 60}`, town: `o${n % 5}` };
      const writing = n % 6 === 5 ? users.delete().where({ tenant, id }).run() : users.upsert(row);
      await writing.then(
        () => done++,
        error => {
          if (error.outcome !== 'NotExecuted' && error.outcome !== 'Unknown') failed.push(error);
        },
      );
    }
  });
  const moves = await mover.move({ kind: 'move', from: 'one', to: 'two', part: 0.5 });
  for (const { id } of moves) await mover.finish(id);
  isOver = true;
  await Promise.all(writers);
  expect(failed).toEqual([]);
  expect(done).toBeGreaterThan(10);
  expect(new Set(mine.map(({ tenant }) => router.route(tenant).shard)).size).toBe(2);
  expect(await faultsOf(router)).toEqual([]);
  const { conflicts, repaired } = await users.checkIndexes();
  expect({ conflicts, repaired }).toEqual({ conflicts: [], repaired: [] });
}, 120_000);
