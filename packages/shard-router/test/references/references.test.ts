import { InvalidOptionError } from '@ashlar/core';
import { memoryStore } from '@ashlar/store';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import {
  DuplicateRowError,
  InvalidQueryError,
  InvalidValueError,
  MixedVersionsError,
  memoryShards,
  ShardRouter,
} from '../../src/index.ts';
import { databases, shardNames } from '../queries/databases.ts';
import { altered } from '../support/altered.ts';

const tables = {
  orders: {
    key: ['tenant'],
    primaryKey: ['tenant', 'id'],
    columns: { tenant: 'int8', id: 'int4', country: 'text' },
  },
} as const;
const references = {
  countries: { primaryKey: ['code'], columns: { code: 'text', name: 'text', rate: 'numeric' } },
} as const;

const postgres =
  databases(`CREATE TABLE orders (tenant int8, id int4, country text, PRIMARY KEY (tenant, id));
  CREATE TABLE countries (code text PRIMARY KEY, name text UNIQUE, rate numeric CHECK (rate >= 0))`);

const backends = [
  ['memory', () => memoryShards(shardNames) as Readonly<Record<string, object>>],
  ['PostgreSQL', () => postgres.shards as Readonly<Record<string, object>>],
] as const;

const lost = new Error('the shard is down');

describe.each(backends)('reference tables: %s', (kind, made) => {
  let inner: Readonly<Record<string, object>>;
  let down: Set<string>;
  let store: ReturnType<typeof memoryStore>;
  const open = () => {
    const shards = Object.fromEntries(
      Object.entries(inner).map(([name, shard]) => {
        const guarded =
          (method: 'read' | 'write' | 'transaction') =>
          (...args: unknown[]) =>
            down.has(name)
              ? Promise.reject(lost)
              : (shard as Record<string, (...args: unknown[]) => Promise<unknown>>)[method]!(...args);
        return [
          name,
          altered(shard, {
            read: guarded('read'),
            write: guarded('write'),
            transaction: guarded('transaction'),
          } as never),
        ];
      }),
    );
    const router = new ShardRouter<unknown, typeof tables, typeof references>({
      shards: shards as never,
      store,
      key: 'int8',
      tables,
      references,
      sweepMs: 600_000,
    });
    onTestFinished(() => router.close());
    return router;
  };
  beforeAll(() => {
    inner = made();
  });
  beforeEach(async () => {
    down = new Set();
    store = memoryStore();
    if (kind === 'memory') inner = made();
    for (const name of kind === 'memory' ? [] : shardNames) {
      const client = await postgres.client(name);
      await client.query('TRUNCATE countries, orders; DROP SCHEMA IF EXISTS ashlar_shards CASCADE');
    }
  });
  afterAll(() => store?.close());

  const rows = [
    { code: 'at', name: 'Austria', rate: '0.20' },
    { code: 'ch', name: 'Switzerland', rate: '0.081' },
    { code: 'de', name: null, rate: '0.19' },
  ];

  it('are on all shards with one version, and are read and joined there', async () => {
    const router = open();
    await router.ready();
    const countries = router.reference('countries');
    expect(await countries.insert(rows)).toEqual({ version: 1, count: 3, missing: [] });
    expect(await countries.upsert({ code: 'de', name: 'Germany', rate: null })).toMatchObject({ version: 2 });
    expect(await countries.delete([{ code: 'at' }])).toMatchObject({ version: 3, count: 1 });
    const shards = Object.fromEntries(shardNames.map(name => [name, 3]));
    expect(await countries.versions()).toEqual({ head: 3, shards });
    for (let n = 0; n < 4; n++) {
      expect(await countries.get({ code: 'de' })).toEqual({ code: 'de', name: 'Germany', rate: null });
      expect(await countries.select('code').orderBy('code', 'desc').all()).toEqual([
        { code: 'de' },
        { code: 'ch' },
      ]);
      expect(await countries.select().where('rate', 'is null').count({ consistency: 'strong' })).toBe(1n);
    }
    for (let tenant = 0; tenant < 20; tenant++)
      await router.table('orders').insert({ tenant, id: tenant, country: ['ch', 'de', 'xx'][tenant % 3]! });
    const orders = router.table('orders').select('id', 'country').orderBy('id');
    const names = await orders.everywhere().leftJoin('of', countries.select(), { country: 'code' }).all();
    expect(names.map(each => each.of?.name)).toEqual(
      Array.from({ length: 20 }, (_, i) => ['Switzerland', 'Germany', undefined][i % 3]),
    );
    const germans = countries.select('code').where({ name: 'Germany' });
    expect(await orders.everywhere().join('of', germans, { country: 'code' }).all()).toHaveLength(7);
    expect(await orders.where({ tenant: 4 }).join('of', germans, { country: 'code' }).all()).toHaveLength(1);
    expect(() =>
      countries.select().join('o', router.table('orders').select('country'), { code: 'country' }),
    ).toThrow(InvalidQueryError);
    const found = await countries.select().lookup('orders', orders.everywhere(), { code: 'country' }).all();
    expect(found.map(each => each.orders.length).sort()).toEqual([7, 7]);
  });

  it('what is not to be written makes no version', async () => {
    const router = open();
    await router.ready();
    const countries = router.reference('countries');
    await countries.insert(rows);
    await expect(countries.insert(rows[0]!)).rejects.toThrow(DuplicateRowError);
    await expect(countries.insert({ code: 'x', name: 'X' } as never)).rejects.toThrow(InvalidValueError);
    await expect(countries.insert({ code: null, name: 'X', rate: null } as never)).rejects.toThrow(
      InvalidValueError,
    );
    await expect(countries.upsert([rows[0]!, rows[0]!])).rejects.toThrow(InvalidValueError);
    if (kind !== 'memory') {
      await expect(countries.insert({ code: 'x', name: 'X', rate: -1 })).rejects.toMatchObject({
        code: '23514',
      });
      await expect(countries.upsert({ code: 'x', name: 'Austria', rate: 1 })).rejects.toThrow(
        DuplicateRowError,
      );
    }
    expect((await countries.versions()).head).toBe(1);
    expect(() => router.reference('towns' as never)).toThrow(InvalidValueError);
    expect(
      () =>
        new ShardRouter({ shards: inner as never, store, key: 'int8', tables, references: tables as never }),
    ).toThrow(InvalidOptionError);
  });

  it('a shard that was down is named, is never read or joined with others, and is brought up to date', async () => {
    const router = open();
    await router.ready();
    const countries = router.reference('countries');
    await countries.insert(rows);
    for (let tenant = 0; tenant < 12; tenant++)
      await router.table('orders').insert({ tenant, id: tenant, country: 'at' });
    down.add('two');
    const { version, missing } = await countries.upsert({ code: 'at', name: 'Österreich', rate: '0.2' });
    expect([version, missing.map(each => each.shard)]).toEqual([2, ['two']]);
    await countries.upsert({ code: 'at', name: 'Austria again', rate: '0.2' });
    const orders = router.table('orders').select('country').everywhere();
    const join = orders.join('of', countries.select('code', 'name'), { country: 'code' });
    await expect(join.all()).rejects.toMatchObject({ shard: 'two', cause: lost });
    const partial = await join.all({ onShardError: 'partial' });
    expect(partial.missing).toEqual([{ shard: 'two', error: lost }]);
    expect(partial.map(({ of }) => of.name)).toEqual(Array(partial.length).fill('Austria again'));
    // Another is read
    for (let n = 0; n < 4; n++) expect((await countries.get({ code: 'at' }))?.name).toBe('Austria again');
    down.delete('two');
    expect((await countries.versions()).shards).toMatchObject({ one: 3, two: 1 });
    expect((await join.all()).map(each => each.of.name)).toEqual(Array(12).fill('Austria again'));
    expect((await countries.versions()).shards).toMatchObject({ one: 3, two: 3 });
    expect(await countries.repair()).toEqual([]);
  });

  it('a write that ends after its version was made, on no shard or on some, is whole for everybody', async () => {
    const router = open();
    await router.ready();
    const countries = router.reference('countries');
    await countries.insert(rows);
    for (const reached of [[], ['one'], ['four', 'two']]) {
      const process = open();
      await process.ready();
      // Its answer says that it could not reach them: to the others it looks as if it had died
      const set = store.set.bind(store);
      store.set = async (...args) => {
        const made = await set(...args);
        if (args[0].includes(':references:'))
          for (const name of shardNames) if (!reached.includes(name as never)) down.add(name);
        return made;
      };
      const name = `after ${reached.length}`;
      const { missing } = await process.reference('countries').upsert({ code: 'ch', name, rate: null });
      expect(missing).toHaveLength(4 - reached.length);
      store.set = set;
      down.clear();
      expect((await countries.get({ code: 'ch' }, { consistency: 'strong' }))?.name).toBe(name);
      // The next version is made on top of it
      await countries.upsert({ code: 'de', name: `${name} too`, rate: null });
      const { head, shards } = await countries.versions();
      expect(Object.values(shards)).toEqual(Array(4).fill(head));
      expect(await countries.repair()).toEqual([]);
    }
  });

  it('many writers make one version after another', async () => {
    const routers = [open(), open(), open()];
    for (const router of routers) await router.ready();
    await routers[0]!.reference('countries').insert(rows);
    const counts = await Promise.all(
      routers.flatMap((router, r) =>
        Array.from({ length: 4 }, (_, n) =>
          router
            .reference('countries')
            .upsert({ code: `${r}${n}`, name: `${r}/${n}`, rate: n })
            .then(() => 1),
        ),
      ),
    );
    expect(counts).toHaveLength(12);
    const { head, shards } = await routers[0]!.reference('countries').versions();
    expect([head, ...Object.values(shards)]).toEqual(Array(5).fill(13));
    expect(await routers[1]!.reference('countries').select().count()).toBe(15n);
    expect(await routers[0]!.reference('countries').repair()).toEqual([]);
  });
});

it('rows that somebody has changed past it are found and put right', async () => {
  const store = memoryStore();
  const clients: pg.Client[] = [];
  for (const name of shardNames) clients.push(await postgres.client(name));
  for (const client of clients)
    await client.query('TRUNCATE countries; DROP SCHEMA IF EXISTS ashlar_shards CASCADE');
  const router = new ShardRouter<pg.Client, typeof tables, typeof references>({
    shards: postgres.shards,
    store,
    key: 'int8',
    tables,
    references,
  });
  onTestFinished(async () => {
    await router.close();
    await store.close();
  });
  await router.ready();
  const countries = router.reference('countries');
  const names = Array.from({ length: 1_200 }, (_, i) => ({ code: `c${i}`, name: `n${i}`, rate: i }));
  await countries.insert(names);
  await clients[1]!.query(
    "DELETE FROM countries WHERE code < 'c2'; UPDATE countries SET name = 'x' WHERE code = 'c3'",
  );
  await clients[2]!.query("INSERT INTO countries VALUES ('y', 'n0'), ('z', NULL)".replace("'n0'", 'NULL'));
  expect((await countries.repair()).map(({ shard: _, version: __, ...rest }) => rest)).toEqual(
    expect.arrayContaining([
      { added: names.filter(({ code }) => code < 'c2').length, changed: 1, removed: 0 },
      { added: 0, changed: 0, removed: 2 },
    ]),
  );
  expect(await countries.repair()).toEqual([]);
  expect(new MixedVersionsError('x').retryable).toBe(true);
});
