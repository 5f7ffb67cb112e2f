import { memoryStore } from '@ashlar/store';
import { type Postgres, startPostgres } from '@workspace/services';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  DuplicateRowError,
  type MemoryShard,
  memoryShards,
  PartLostError,
  ShardRouter,
} from '../../src/index.ts';
import { gidOf, newId } from '../../src/two-phase/names.ts';
import { SqlLedger } from '../../src/two-phase/sql-ledger.ts';
import { usersRouter } from '../indexes/users.ts';
import { altered } from '../support/altered.ts';
import {
  type Accounts,
  accountsRouter,
  audit,
  ddl,
  ownersOn,
  postgresShards,
  transfer,
} from '../two-phase/accounts.ts';

// Kinds of bugs that users of other routers have reported, each tried here

const names = ['one', 'three', 'two'] as const;
const ends: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

describe('two phases on PostgreSQL', () => {
  let server: Postgres;
  let router: Accounts;
  let owners: [string, string, string];
  const clients: Record<string, pg.Client> = {};
  beforeAll(async () => {
    server = await startPostgres({ own: true, config: { max_prepared_transactions: 20 } });
    ends.push(() => server.stop());
    const admin = new pg.Client({ connectionString: server.url });
    await admin.connect();
    ends.push(() => admin.end());
    const urls: Record<string, string> = {};
    for (const name of names) {
      await admin.query(`CREATE DATABASE ${name}`);
      urls[name] = server.url.replace(/[^/]*$/, name);
      const client = new pg.Client({ connectionString: urls[name] });
      await client.connect();
      ends.push(() => client.end());
      await client.query(ddl);
      await client.query(
        'ALTER TABLE transfers ADD FOREIGN KEY (owner) REFERENCES accounts DEFERRABLE INITIALLY DEFERRED',
      );
      clients[name] = client;
    }
    const shards = await postgresShards(urls);
    for (const shard of Object.values(shards)) ends.push(() => shard.close());
    const store = memoryStore();
    ends.push(() => store.close());
    router = accountsRouter(shards, store, { sweepMs: 600_000 });
    ends.push(() => router.close());
    await router.ready();
    owners = ownersOn(router, names) as [string, string, string];
    for (const owner of owners) await router.table('accounts').insert({ owner, balance: 1_000 });
  });

  it('recovery that runs all the time never tears what others are committing', async () => {
    let isOver = false;
    const recovering = (async () => {
      while (!isOver) expect((await router.recover(0)).failed).toEqual([]);
    })();
    const outcomes: Promise<unknown>[] = [];
    for (let n = 0; n < 12; n++) {
      const [from, to] = [owners[n % 3]!, owners[(n + 1) % 3]!];
      await transfer(router, from, [to], `hunted ${n}`, 20_000).then(
        () => outcomes.push(Promise.resolve(2)),
        error => {
          expect(error.outcome ?? 'NotExecuted').not.toBe('Executed');
          outcomes.push(Promise.resolve(0));
        },
      );
    }
    isOver = true;
    await recovering;
    const { sum, transfers } = await audit(router);
    expect(sum).toBe(3_000n);
    for (const [n, parts] of (await Promise.all(outcomes)).entries())
      expect([n, transfers[`hunted ${n}`] ?? 0]).toEqual([n, parts]);
  });

  it('an error of the first phase is the error of the database, and leaves nothing', async () => {
    const [a, b, c] = owners;
    const failing = router.transaction(
      [a, b, c],
      async tx => {
        await tx.table('accounts').update({ balance: 1 }).where({ owner: a }).run();
        // Checked when the transaction is prepared
        await tx.table('accounts').delete().where({ owner: c }).run();
        await tx.table('transfers').insert({ owner: c, id: 'of nobody', amount: 1 });
      },
      { twoPhase: true },
    );
    await expect(failing).rejects.toMatchObject({ code: '23503' });
    expect((await audit(router)).sum).toBe(3_000n);
    expect((await clients['one']!.query('SELECT FROM pg_prepared_xacts')).rowCount).toBe(0);
  });

  it('what others have prepared on the same server is not touched, nor that of another router', async () => {
    const ids = [
      'of somebody',
      gidOf('other router', newId('one', Date.now()), 'two'),
      gidOf('shards', newId('one', Date.now()), 'x'),
    ];
    const db = clients['two']!;
    for (const gid of ids.slice(0, 2)) {
      await db.query('BEGIN');
      await db.query(
        "INSERT INTO transfers VALUES ('nobody', 'x', 1)"
          .replace('nobody', owners[2])
          .replace("'x'", `'${gid.length}'`),
      );
      await db.query(`PREPARE TRANSACTION '${gid}'`);
    }
    // Of this router, in another database of the server that it does not have
    const admin = new pg.Client({ connectionString: server.url });
    await admin.connect();
    onTestFinished(() => admin.end());
    await admin.query('CREATE TABLE x ()');
    await admin.query('BEGIN');
    await admin.query('INSERT INTO x DEFAULT VALUES');
    await admin.query(`PREPARE TRANSACTION '${ids[2]}'`);
    expect(await router.recover(0)).toEqual({ settled: [], failed: [] });
    expect((await db.query('SELECT FROM pg_prepared_xacts')).rowCount).toBe(3);
    for (const gid of ids.slice(0, 2)) await db.query(`ROLLBACK PREPARED '${gid}'`);
    await admin.query(`ROLLBACK PREPARED '${ids[2]}'`);
  });

  it('a part that somebody has rolled back is not taken for one that was committed', async () => {
    const db = clients['two']!;
    const ledger = new SqlLedger(db);
    const id = newId('one', Date.now());
    const gid = gidOf('shards', id, 'two');
    await db.query('BEGIN');
    await db.query('UPDATE accounts SET balance = balance');
    await ledger.prepare(gid);
    await clients['one']!.query('BEGIN');
    await new SqlLedger(clients['one']!).decide(id, 'shards', ['two']);
    await clients['one']!.query('COMMIT');
    await db.query(`ROLLBACK PREPARED '${gid}'`);
    await expect(ledger.settle(gid, 'commit')).rejects.toThrow(PartLostError);
    const { failed } = await router.recover(0);
    expect(failed).toMatchObject([{ shard: 'one', error: { code: 'ASHLAR_SHARD_ROUTER_PART_LOST' } }]);
    await clients['one']!.query('DELETE FROM ashlar_shards.decision WHERE id = $1', [id]);
    // One that was, is: told again, it is so again
    await db.query('BEGIN');
    await db.query('UPDATE accounts SET balance = balance');
    await ledger.prepare(`${gid}x`);
    for (let n = 0; n < 3; n++) await ledger.settle(`${gid}x`, 'commit');
  });
});

it('a part that a shard has lost is told to the caller', async () => {
  const memory = memoryShards(names);
  const changes: Partial<MemoryShard> = {};
  const store = memoryStore();
  const router = accountsRouter({ ...memory, one: altered(memory.one, changes) }, store, {
    sweepMs: 600_000,
  });
  onTestFinished(async () => {
    await router.close();
    await store.close();
  });
  await router.ready();
  const [a, b] = ownersOn(router, ['one', 'two']) as [string, string];
  for (const owner of [a, b]) await router.table('accounts').insert({ owner, balance: 10 });
  changes.transaction = async (work, scope) => {
    const result = await memory.one.transaction(work, scope);
    await memory.two.write(async ({ ledger }) => {
      for (const { gid } of await ledger!.inDoubt('ashlar:')) await ledger!.settle(gid, 'abort');
    });
    return result;
  };
  await expect(transfer(router, a, [b], 'torn')).rejects.toThrow(PartLostError);
});

describe('queries over several shards', () => {
  const tables = {
    items: {
      key: ['tenant'],
      primaryKey: ['tenant', 'id'],
      columns: { tenant: 'int8', id: 'int4', name: 'text', value: 'int4' },
    },
  } as const;
  const store = memoryStore();
  const router = new ShardRouter({ shards: memoryShards(names), store, key: 'int8', tables });
  const items = router.table('items');
  beforeAll(async () => {
    await router.ready();
    for (let tenant = 0; tenant < 30; tenant++) {
      const value = tenant % 3 === 0 ? null : tenant % 5;
      await items.insert({ tenant, id: tenant, name: String.fromCharCode(122 - (tenant % 26)), value });
    }
    ends.push(
      () => store.close(),
      () => router.close(),
    );
  });

  it('an order by a column that is not selected is the order of all rows, and the column is not returned', async () => {
    const rows = await items.select('id').orderBy('name').everywhere().all();
    const all = await items.select('id', 'name').everywhere().all();
    const sorted = all.toSorted((x, y) => (x.name! < y.name! ? -1 : x.name! > y.name! ? 1 : x.id - y.id));
    expect(rows).toEqual(sorted.map(({ id }) => ({ id })));
  });

  it('groups of keys on several shards are all there, nulls are a group, and a limit counts groups', async () => {
    const some = items.aggregate({ n: { count: '*' } }).where('tenant', 'in', [1, 3, 4, 7, 9, 22]);
    const groups = await some.groupBy('tenant').all();
    expect(groups.map(({ tenant, n }) => [tenant, n])).toEqual(
      [1n, 3n, 4n, 7n, 9n, 22n].map(tenant => [tenant, 1n]),
    );
    const byValue = items
      .aggregate({ n: { count: '*' }, sum: { sum: 'id' } })
      .groupBy('value')
      .everywhere();
    const all = await byValue.all();
    expect(all.map(({ value, n }) => [value, n])).toEqual([
      [0, 4n],
      [1, 4n],
      [2, 4n],
      [3, 4n],
      [4, 4n],
      [null, 10n],
    ]);
    expect(await byValue.limit(2).all()).toEqual(all.slice(0, 2));
    expect(await byValue.orderBy('n', 'desc').limit(1).all()).toEqual(all.slice(5));
    expect(await byValue.having('n', '>', 4n).all()).toEqual(all.slice(5));
  });

  // apache/shardingsphere#100 and #33219
  it('of shards without rows nothing spoils a least, a mean or a count, and no group is made up', async () => {
    const some = items
      .aggregate({ n: { count: '*' }, least: { min: 'id' }, mean: { avg: 'id' } })
      .everywhere();
    for (let tenant = 0; tenant < 30; tenant++)
      expect(await some.where('id', '=', tenant).all()).toMatchObject([{ n: 1n, least: tenant }]);
    const none = some.where('id', 'in', []);
    expect(await none.all()).toEqual([{ n: 0n, least: null, mean: null }]);
    expect(await none.groupBy('name', 'value').orderBy('n').all()).toEqual([]);
  });

  // citusdata/citus#3663 and #4315, apache/shardingsphere#22170 and #22826
  it('pairs are counted as they are returned, and grouped and ordered by a column that is null', async () => {
    const others = items.select('tenant', 'id', 'value').where('value', '>', 2);
    const pairs = items.select('tenant', 'id').everywhere().leftJoin('other', others, { tenant: 'tenant' });
    const rows = await pairs.orderBy('other.value', { direction: 'asc', nulls: 'first' }).all();
    expect(rows).toHaveLength(30);
    expect(await pairs.count()).toBe(30n);
    const found = rows.filter(({ other }) => other !== null);
    expect(rows.slice(0, 30 - found.length).every(({ other }) => other === null)).toBe(true);
    const grouped = pairs
      .aggregate({ n: { count: '*' }, others: { count: 'other.id' } })
      .groupBy('other.value');
    expect(await grouped.all()).toEqual([
      { 'other.value': 3, n: 4n, others: 4n },
      { 'other.value': 4, n: 4n, others: 4n },
      { 'other.value': null, n: 22n, others: 0n },
    ]);
    expect(await pairs.aggregate({ others: { count: 'other.id' } }).all()).toEqual([
      { others: BigInt(found.length) },
    ]);
  });
});

it('two rows of one statement with one unique value are refused, and leave the value free', async () => {
  const store = memoryStore();
  for (const inDoubtMs of [0, 10_000]) {
    const router = usersRouter(memoryShards(names), store, { inDoubtMs });
    await router.ready();
    const users = router.table('users');
    const same = [1, 2, 3].map(id => ({ tenant: 'a', id, mail: id < 3 ? 'same' : 'other', town: 'Wien' }));
    await expect(users.insert(same)).rejects.toThrow(DuplicateRowError);
    await expect(users.upsert(same)).rejects.toThrow(DuplicateRowError);
    await users.insert({ tenant: 'b', id: 1, mail: 'same', town: 'Wien' });
    await expect(users.insert(same.slice(1))).rejects.toThrow(DuplicateRowError);
    await users.insert(same.slice(2));
    expect(await users.findBy('town', { town: 'Wien' })).toHaveLength(2);
    expect(await users.checkIndexes()).toMatchObject({ repaired: [], removed: 0, conflicts: [] });
    await router.close();
  }
  await store.close();
});
