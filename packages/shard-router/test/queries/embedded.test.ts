import { memoryStore } from '@ashlar/store';
import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pgliteShard } from '../../src/adapters/pglite.ts';
import { indexTables } from '../../src/adapters/postgres.ts';
import { CollationError, DuplicateRowError, ShardRouter } from '../../src/index.ts';

const tables = {
  users: {
    key: ['tenant'],
    primaryKey: ['tenant', 'id'],
    columns: { tenant: 'int8', id: 'int8', mail: 'text', country: 'text' },
    indexes: { mail: { columns: ['mail'], unique: true } },
  },
} as const;
const references = { countries: { primaryKey: ['code'], columns: { code: 'text', name: 'text' } } } as const;
const ddl = `CREATE TABLE users (tenant int8, id int8, mail text, country text, PRIMARY KEY (tenant, id));
  CREATE TABLE countries (code text PRIMARY KEY, name text); ${indexTables(tables, 'int8')}`;

const store = memoryStore();
const databases: PGlite[] = [];
const open = () => {
  const [one, two] = databases.map(db => pgliteShard({ db }));
  return new ShardRouter({ shards: { one: one!, two: two! }, store, key: 'int8', tables, references });
};
let router: ReturnType<typeof open>;

beforeAll(async () => {
  for (let n = 0; n < 2; n++) {
    const db = await PGlite.create();
    databases.push(db);
    await db.exec(ddl);
  }
  router = open();
  await router.ready();
});
afterAll(async () => {
  await router?.close();
  await store.close();
  for (const db of databases) await db.close();
});

it('joins, reference tables and indexes are the same on PGlite', async () => {
  const [users, countries] = [router.table('users'), router.reference('countries')];
  const names = [
    { code: 'at', name: 'Austria' },
    { code: 'de', name: null },
  ];
  expect(await countries.insert(names)).toMatchObject({ version: 1, missing: [] });
  await expect(countries.insert({ code: 'at', name: null })).rejects.toThrow(DuplicateRowError);
  for (let n = 0; n < 8; n++)
    await users.insert({ tenant: n, id: n, mail: `m${n}`, country: n % 2 ? 'at' : 'xx' });
  expect(new Set(Array.from({ length: 8 }, (_, n) => router.route(n).shard)).size).toBe(2);

  const of = await users
    .select('id', 'country')
    .orderBy('id')
    .everywhere()
    .leftJoin('of', countries.select(), { country: 'code' })
    .all();
  expect(of.map(each => each.of?.name)).toEqual(
    Array.from({ length: 8 }, (_, n) => (n % 2 ? 'Austria' : undefined)),
  );
  const pairs = users.select('tenant', 'id').orderBy('id').everywhere();
  const same = await pairs.join('same', users.select('tenant', 'mail'), { tenant: 'tenant' }).all();
  expect(same.map(each => each.same.mail)).toEqual(Array.from({ length: 8 }, (_, n) => `m${n}`));

  // It has no ICU
  const ordered = users.select('mail').everywhere();
  const mails = await ordered.orderBy('mail', { direction: 'desc', collation: 'pg_c_utf8' }).all();
  expect(mails.map(({ mail }) => mail)).toEqual(Array.from({ length: 8 }, (_, n) => `m${7 - n}`));
  const batches = ordered.orderBy('mail', { collation: 'default' }).stream({ batchRows: 1 });
  const streamed: (string | null)[] = [];
  for await (const { mail } of batches) streamed.push(mail);
  expect(streamed).toEqual(Array.from({ length: 8 }, (_, n) => `m${n}`));
  await expect(ordered.orderBy('mail', { collation: 'unicode' }).all()).rejects.toThrow(CollationError);

  await expect(users.insert({ tenant: 90, id: 1, mail: 'm3', country: null })).rejects.toThrow(
    DuplicateRowError,
  );
  await users.update({ mail: 'other' }).where({ tenant: 3, id: 3 }).run();
  await users.insert({ tenant: 90, id: 1, mail: 'm3', country: null });
  expect((await users.findBy('mail', { mail: 'm3' })).map(({ tenant }) => tenant)).toEqual([90n]);
  await users.delete().where({ tenant: 90 }).run();
  expect(await users.findBy('mail', { mail: 'm3' })).toEqual([]);
  expect(await users.checkIndexes()).toMatchObject({ rows: 8, repaired: [], removed: 0, conflicts: [] });

  await countries.delete({ code: 'de' });
  await databases[1]!.query("UPDATE countries SET name = 'x'");
  expect(await countries.repair()).toMatchObject([
    { shard: 'two', version: 2, added: 0, changed: 1, removed: 0 },
  ]);
}, 60_000);
