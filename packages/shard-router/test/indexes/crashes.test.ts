import { memoryStore } from '@ashlar/store';
import { Peer } from '@workspace/faults';
import type pg from 'pg';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { indexTables } from '../../src/adapters/postgres.ts';
import { type MemoryShard, Mover, memoryMoves, memoryShards } from '../../src/index.ts';
import { databases, shardNames } from '../queries/databases.ts';
import { altered } from '../support/altered.ts';
import { changing, moving } from './transactions.ts';
import { ddl, faultsOf, options, sweep, tables, tenantsOn, type Users, usersRouter } from './users.ts';

type Operation = (router: Users) => Promise<unknown>;

/** What a process is about when it dies, on a row that is there with the mail `old`. */
const operations: Readonly<Record<string, Operation>> = {
  insert: router => router.table('users').insert({ tenant: 'b', id: 2, mail: 'new', town: 'Graz' }),
  update: router =>
    router.table('users').update({ mail: 'new', town: 'Graz' }).where({ tenant: 'a', id: 1 }).run(),
  upsert: router => router.table('users').upsert({ tenant: 'a', id: 1, mail: 'new', town: null }),
  'upsert of the same mail': router =>
    router.table('users').upsert({ tenant: 'a', id: 1, mail: 'old', town: 'Linz' }),
  delete: router => router.table('users').delete().where({ tenant: 'a', id: 1 }).run(),
  transaction: changing,
  'move within a shard': router => moving(router, near(router)),
};

/** Those whose process cannot stand still, since a transaction over several shards would keep others waiting until it is taken for dead. */
const overSeveral: Readonly<Record<string, Operation>> = {
  'move to another shard': router => moving(router, far(router)),
  'transaction over several shards': router => changing(router, far(router)),
};

/** A tenant on the shard of `a`, and one on another. */
function near(router: Users): string {
  return tenantsOn(router, [router.route('a').shard])[0]!;
}
function far(router: Users): string {
  return tenantsOn(router, [shardNames.find(name => name !== router.route('a').shard)!])[0]!;
}

const before = { tenant: 'a', id: 1, mail: 'old', town: 'Wien' } as const;

/** Looks from another process after one has died: nothing may be wrong, before a sweep and after it; and the values can be used again. */
async function checked(router: Users): Promise<void> {
  expect((await router.recover(0)).failed).toEqual([]);
  expect(await faultsOf(router)).toEqual([]);
  const users = router.table('users');
  const { conflicts, repaired } = await users.checkIndexes();
  expect({ conflicts, repaired }).toEqual({ conflicts: [], repaired: [] });
  expect(await faultsOf(router)).toEqual([]);
  for (const mail of ['old', 'new']) {
    const found = await users.findBy('mail', { mail });
    const other = { tenant: `other ${mail}`, id: 1, mail, town: null };
    if (found.length > 0)
      await expect(users.insert(other)).rejects.toMatchObject({ code: 'ASHLAR_SHARD_ROUTER_DUPLICATE_ROW' });
    else await users.insert(other);
  }
  expect(await faultsOf(router)).toEqual([]);
  expect(await users.checkIndexes()).toMatchObject({ repaired: [], removed: 0, conflicts: [] });
}

describe.each(Object.entries({ ...operations, ...overSeveral }))(
  'a process that dies in an %s',
  (_, operation) => {
    it('before or after any of its calls leaves nothing wrong', async () => {
      let isWhole = false;
      let deaths = 0;
      for (let n = 1; !isWhole; n++) {
        for (const isDone of [false, true]) {
          const memory = memoryShards(shardNames);
          const store = memoryStore();
          const router = usersRouter(memory, store, options);
          await router.ready();
          await router.table('users').insert(before);
          let calls = 0;
          const dead = new Error('the process is dead');
          const dying = (shard: MemoryShard) =>
            Object.fromEntries(
              (['read', 'write', 'transaction'] as const).map(method => [
                method,
                async (...args: unknown[]) => {
                  const isLast = ++calls === n;
                  if (calls > n || (isLast && !isDone)) throw dead;
                  const result = await (shard[method] as (...given: unknown[]) => Promise<unknown>).apply(
                    shard,
                    args,
                  );
                  if (isLast) throw dead;
                  return result;
                },
              ]),
            );
          const shards = Object.fromEntries(
            Object.entries(memory).map(([name, shard]) => [name, altered(shard, dying(shard) as never)]),
          );
          const process = usersRouter(shards, store, options);
          await process.ready();
          const outcome = await operation(process).then(
            () => 'done',
            () => 'failed',
          );
          if (calls >= n) deaths++;
          isWhole = calls < n;
          // What was acknowledged is there
          if (outcome === 'done' && /^(insert|update|upsert|transaction.*)$/.test(_))
            expect(await router.table('users').findBy('mail', { mail: 'new' })).toHaveLength(1);
          expect(await sweep(router, memory, store)).toEqual([]);
          await checked(router);
          await process.close();
          await router.close();
          await store.close();
        }
      }
      expect(deaths).toBeGreaterThan(5);
    }, 300_000);
  },
);

describe.each(Object.entries(operations))('a process that stands still in an %s', (_, operation) => {
  it('before or after any of its calls, and is taken for dead meanwhile, breaks nothing when it goes on', async () => {
    let isWhole = false;
    let stops = 0;
    for (let n = 1; !isWhole; n++) {
      for (const isDone of [false, true]) {
        const memory = memoryShards(shardNames);
        const store = memoryStore();
        const router = usersRouter(memory, store, options);
        await router.ready();
        await router.table('users').insert(before);
        let calls = 0;
        let goOn = () => {};
        const gate = new Promise<void>(resolve => {
          goOn = resolve;
        });
        let stopped = () => {};
        const stop = new Promise<void>(resolve => {
          stopped = resolve;
        });
        const still = () => {
          stopped();
          return gate;
        };
        const stopping = (shard: MemoryShard) =>
          Object.fromEntries(
            (['read', 'write', 'transaction'] as const).map(method => [
              method,
              async (...args: unknown[]) => {
                const isIt = ++calls === n;
                if (isIt && !isDone) await still();
                const result = await (shard[method] as (...given: unknown[]) => Promise<unknown>).apply(
                  shard,
                  args,
                );
                if (isIt && isDone) await still();
                return result;
              },
            ]),
          );
        const shards = Object.fromEntries(
          Object.entries(memory).map(([name, shard]) => [name, altered(shard, stopping(shard) as never)]),
        );
        const process = usersRouter(shards, store, options);
        await process.ready();
        const outcome = operation(process).then(
          () => 'done',
          () => 'failed',
        );
        await Promise.race([stop, outcome]);
        if (calls >= n) stops++;
        isWhole = calls < n;
        // Others want the same values, and the same row
        const users = router.table('users');
        await users.checkIndexes();
        for (const mail of ['new', 'old'])
          await users.insert({ tenant: `other ${mail}`, id: 1, mail, town: 'Graz' }).catch(() => {});
        await users.upsert({ tenant: 'a', id: 1, mail: 'third', town: 'Wien' });
        await users.delete().where({ tenant: 'other old', id: 1 }).run();
        goOn();
        await outcome;
        expect([n, isDone, await faultsOf(router)]).toEqual([n, isDone, []]);
        expect(await users.checkIndexes()).toMatchObject({ repaired: [], conflicts: [] });
        expect(await faultsOf(router)).toEqual([]);
        expect(await users.checkIndexes()).toMatchObject({ repaired: [], removed: 0, conflicts: [] });
        await process.close();
        await router.close();
        await store.close();
      }
    }
    expect(stops).toBeGreaterThan(5);
  }, 300_000);
});

it('rows with indexes move while they are written: each is found, and no value is that of two', async () => {
  const shards = memoryShards([...shardNames, 'zero']);
  const { zero: _, ...first } = shards;
  const store = memoryStore();
  const early = usersRouter(first, store);
  await early.ready();
  await early.close();
  const router = usersRouter(shards, store, options);
  await router.ready();
  const mover = new Mover({ store, tables, backend: memoryMoves({ shards }), pauseMs: 10_000, steadyMs: 50 });
  onTestFinished(async () => {
    await mover.close();
    await router.close();
    await store.close();
  });
  const users = router.table('users');
  let isOver = false;
  let done = 0;
  const writers = Array.from({ length: 4 }, async (__, worker) => {
    for (let n = 0; !isOver; n++) {
      // Shards in memory answer at once: the loop would leave no time for the move
      await new Promise(resolve => setImmediate(resolve));
      const row = {
        tenant: `t${n % 17}`,
        id: worker % 2,
        mail: `m${(n * 7 + worker) % 40}`,
        town: `o${n % 5}`,
      };
      const writing =
        n % 5 === 4 ? users.delete().where({ tenant: row.tenant, id: row.id }).run() : users.upsert(row);
      await writing.then(
        () => done++,
        error => expect(error.outcome).toBeOneOf(['NotExecuted', 'Unknown']),
      );
    }
  });
  const moves = await mover.move({ kind: 'add', shard: 'zero' });
  for (const { id } of moves) await mover.finish(id);
  isOver = true;
  await Promise.all(writers);
  expect(done).toBeGreaterThan(20);
  expect(await faultsOf(router)).toEqual([]);
  const { conflicts, repaired } = await users.checkIndexes();
  expect({ conflicts, repaired }).toEqual({ conflicts: [], repaired: [] });
  expect(
    shards.zero.snapshot({ slices: [{ from: 0, to: 1024 }], key: 'text', slots: 1024, tables }).rows.length,
  ).toBeGreaterThan(0);
}, 60_000);

const postgres = databases(`${ddl}; ${indexTables(tables, 'text')}`, { max_prepared_transactions: 20 });

describe('on PostgreSQL', () => {
  let router: Users;
  const store = memoryStore();
  const clients: pg.Client[] = [];
  beforeAll(async () => {
    router = usersRouter(postgres.shards, store, options);
    await router.ready();
    for (const name of shardNames) clients.push(await postgres.client(name));
    return async () => {
      await router.close();
      await store.close();
    };
  });

  const everywhere = async (sql: string) => {
    for (const client of clients) await client.query(sql);
  };

  const deaths = [
    { operation: 'insert', at: '^INSERT INTO "users_by', n: 1, when: 'sent' },
    { operation: 'insert', at: '^INSERT INTO "users_by', n: 2, when: 'after' },
    { operation: 'insert', at: 'COMMIT', n: 1, when: 'sent' },
    { operation: 'insert', at: 'COMMIT', n: 1, when: 'after' },
    { operation: 'update', at: '^UPDATE "users" ', n: 1, when: 'after' },
    { operation: 'update', at: 'COMMIT', n: 1, when: 'after' },
    { operation: 'update', at: '^DELETE FROM "users_by', n: 1, when: 'sent' },
    { operation: 'delete', at: 'COMMIT', n: 1, when: 'after' },
    { operation: 'delete', at: '^DELETE FROM "users_by', n: 1, when: 'after' },
    { operation: 'delete', at: '^DELETE FROM "users_claims', n: 1, when: 'sent' },
    { operation: 'delete', at: '^DELETE FROM "users_claims', n: 1, when: 'after' },
    { operation: 'transaction', at: '^INSERT INTO "users_by', n: 1, when: 'sent' },
    { operation: 'transaction', at: '^INSERT INTO "users_by', n: 2, when: 'after' },
    { operation: 'transaction', at: '^INSERT INTO "users_claims', n: 3, when: 'after' },
    { operation: 'transaction', at: '; *COMMIT|^COMMIT$', n: 1, when: 'sent' },
    { operation: 'transaction', at: '; *COMMIT|^COMMIT$', n: 1, when: 'after' },
    { operation: 'transaction', at: '^UPDATE "users_by', n: 1, when: 'after' },
    { operation: 'move', at: '^UPDATE "users_by', n: 1, when: 'sent' },
    { operation: 'move', at: '^UPDATE "users_by', n: 1, when: 'after' },
    { operation: 'move', at: '^INSERT INTO "users_claims', n: 3, when: 'after' },
    { operation: 'move', at: '^PREPARE TRANSACTION', n: 1, when: 'after' },
    { operation: 'move', at: '; *COMMIT', n: 1, when: 'sent' },
    { operation: 'move', at: '; *COMMIT', n: 1, when: 'after' },
    { operation: 'move', at: '^COMMIT PREPARED', n: 1, when: 'after' },
    { operation: 'move', at: '^DELETE FROM "users_by', n: 1, when: 'after' },
    { operation: 'move', at: '^UPDATE "users_by', n: 2, when: 'after' },
  ] as const;

  it.each(deaths)(
    'a process that is killed in an $operation, $when "$at" ($n), leaves nothing wrong',
    async dies => {
      await everywhere('TRUNCATE users, users_claims, users_by_mail, users_by_town');
      await router.table('users').insert(before);
      const urls = Object.fromEntries(
        clients.map((client, i) => [
          shardNames[i]!,
          `postgres://postgres@127.0.0.1:${client.port}/${client.database}`,
        ]),
      );
      const peer = new Peer(new URL('./write-process.ts', import.meta.url), { urls, dies });
      onTestFinished(() => peer.end());
      expect(await peer.next().catch(() => 'died')).toBe('died');
      expect(await sweep(router, postgres.shards, store)).toEqual([]);
      await checked(router);
    },
    180_000,
  );

  it('what was written past the indexes is found, put right where it can be, and told', async () => {
    await everywhere('TRUNCATE users, users_claims, users_by_mail, users_by_town');
    const users = router.table('users');
    for (let n = 0; n < 12; n++) await users.insert({ tenant: `t${n}`, id: n, mail: `m${n}`, town: 'Wien' });
    await everywhere("UPDATE users SET mail = 'changed' WHERE id = 1");
    await everywhere('DELETE FROM users WHERE id = 2');
    await everywhere("UPDATE users SET mail = 'm4' WHERE id = 3");
    const { shard } = router.route('past');
    await clients[shardNames.indexOf(shard as never)]!.query(
      "INSERT INTO users VALUES ('past', 1, 'past', 'Linz')",
    );
    const report = await users.checkIndexes();
    expect(report).toMatchObject({
      rows: 12,
      repaired: expect.arrayContaining([
        { tenant: 't1', id: 1n },
        { tenant: 'past', id: 1n },
      ]),
      removed: 2,
      conflicts: [{ index: 'mail', row: { tenant: 't3', id: 3n } }],
    });
    expect(report.repaired).toHaveLength(2);
    expect(await users.findBy('mail', { mail: 'past' })).toHaveLength(1);
    expect(await users.findBy('mail', { mail: 'changed' })).toHaveLength(1);
    expect(await users.findBy('mail', { mail: 'm1' })).toEqual([]);
    expect((await users.findBy('mail', { mail: 'm4' })).map(({ id }) => id)).toEqual([4n]);
    expect(await users.checkIndexes()).toMatchObject({
      repaired: [],
      removed: 0,
      conflicts: [{ index: 'mail' }],
    });
  });
});
