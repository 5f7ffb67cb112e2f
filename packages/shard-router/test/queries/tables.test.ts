import type { Executor } from '@ashlar/replica-failover/executor';
import { memoryStore } from '@ashlar/store';
import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pgliteShard } from '../../src/adapters/pglite.ts';
import {
  CrossShardError,
  DuplicateRowError,
  InvalidShardKeyError,
  InvalidValueError,
  memoryShards,
  ShardKeyUpdateError,
  ShardRouter,
  UnsupportedClientError,
} from '../../src/index.ts';
import { databases, shardNames } from './databases.ts';

const tables = {
  orders: {
    key: ['tenant'],
    primaryKey: ['tenant', 'id'],
    columns: {
      tenant: 'text',
      id: 'int8',
      total: 'numeric',
      weight: 'float8',
      open: 'bool',
      placed: 'timestamptz',
      due: 'date',
      code: 'uuid',
      about: 'jsonb',
      scan: 'bytea',
      lines: 'int4',
    },
  },
} as const;

const ddl = `CREATE TABLE orders (tenant text, id int8, total numeric, weight float8, open bool, placed timestamptz,
  due date, code uuid, about jsonb, scan bytea, lines int4, PRIMARY KEY (tenant, id))`;

const postgres = databases(ddl);

const embedded: Record<string, Executor<unknown>> = {};
beforeAll(async () => {
  for (const name of ['one', 'two']) {
    const db = await PGlite.create();
    await db.exec(ddl);
    embedded[name] = pgliteShard({ db }) as Executor<unknown>;
    ends.push(() => db.close());
  }
});
const ends: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const end of ends) await end();
});

const backends: readonly (readonly [string, () => Readonly<Record<string, Executor<unknown>>>])[] = [
  ['memory', () => memoryShards(shardNames)],
  ['PGlite', () => embedded],
  ['PostgreSQL', () => postgres.shards as Readonly<Record<string, Executor<unknown>>>],
];

describe.each(backends)('tables on shards: %s', (_, shards) => {
  const store = memoryStore();
  const open = () => new ShardRouter({ shards: shards(), store, key: 'text', tables });
  let router: ReturnType<typeof open>;
  beforeAll(async () => {
    router = open();
    await router.ready();
  });
  afterAll(async () => {
    await router.close();
    await store.close();
  });

  const full = {
    tenant: 'acme',
    id: 2n ** 60n,
    total: '-12.3400',
    weight: -0,
    open: true,
    placed: '2026-11-29T10:30:00.123456+02:00',
    due: '2026-11-29',
    code: '0198F3A1-7B5C-7DEF-8ABC-0123456789AB',
    about: { a: [1, null, 'ä'] },
    scan: new Uint8Array([0, 255, 16]),
    lines: -7,
  };

  it('returns what was inserted, in the form of its column', async () => {
    const orders = router.table('orders');
    expect(await orders.insert([full, { tenant: 'acme', id: 1 }])).toBe(2);
    expect(await orders.get({ tenant: 'acme', id: 2n ** 60n })).toEqual({
      ...full,
      placed: '2026-11-29T08:30:00.123456Z',
      code: full.code.toLowerCase(),
    });
    const nulls = Object.fromEntries(Object.keys(tables.orders.columns).map(column => [column, null]));
    expect(await orders.get({ tenant: 'acme', id: 1 })).toEqual({ ...nulls, tenant: 'acme', id: 1n });
    expect(await orders.get({ tenant: 'acme', id: 3 })).toBeUndefined();
    await expect(orders.insert({ tenant: 'acme', id: 1 })).rejects.toThrow(DuplicateRowError);
  });

  it('upserts, updates and deletes the rows of one key', async () => {
    const orders = router.table('orders');
    await orders.upsert({ tenant: 'b', id: 1, lines: 1, total: 5 });
    await orders.upsert({ tenant: 'b', id: 1, lines: 2 });
    expect(await orders.get({ tenant: 'b', id: 1 })).toMatchObject({ lines: 2, total: '5' });
    await orders.insert({ tenant: 'b', id: 2, lines: 9 });
    expect(
      await orders.update({ open: false, total: null }).where({ tenant: 'b' }).where('lines', '<', 9).run(),
    ).toBe(1);
    expect(await orders.select('id', 'open').where({ tenant: 'b' }).orderBy('id').all()).toEqual([
      { id: 1n, open: false },
      { id: 2n, open: null },
    ]);
    expect(
      await orders.delete().where({ tenant: 'b', total: null }).where('id', 'in', [2, 2n, 3]).run(),
    ).toBe(1);
    expect(await orders.select('id').where({ tenant: 'b' }).all()).toEqual([{ id: 1n }]);
  });

  it('asks all shards only when told to', async () => {
    const orders = router.table('orders');
    const tenants = Array.from({ length: 40 }, (_, n) => `many-${n}`);
    for (const tenant of tenants) await orders.insert({ tenant, id: 7, lines: 3 });
    const query = orders.select('tenant').where({ id: 7 });
    await expect(query.all()).rejects.toThrow(CrossShardError);
    const found = await query.orderBy('tenant', 'desc').limit(30).everywhere().all();
    expect(found.map(row => row.tenant)).toEqual([...tenants].sort().reverse().slice(0, 30));
    expect(await query.where('tenant', 'in', tenants.slice(0, 9)).all()).toHaveLength(9);
    const streamed: string[] = [];
    for await (const { tenant } of query.everywhere().stream({ batchRows: 3 })) streamed.push(tenant);
    expect(streamed.sort()).toEqual([...tenants].sort());
    await expect(orders.delete().where({ id: 7 }).run()).rejects.toThrow(CrossShardError);
    await expect(orders.insert(tenants.map(tenant => ({ tenant, id: 8 })))).rejects.toThrow(CrossShardError);
    expect(await orders.update({ lines: 4 }).where({ id: 7 }).everywhere().run()).toBe(40);
    expect(await orders.delete().where({ id: 7 }).everywhere().run()).toBe(40);
  });

  it('runs a transaction on the shard of its keys, as a whole', async () => {
    const orders = router.table('orders');
    const mates = ['t', ...Array.from({ length: 40 }, (_, n) => `t-${n}`)];
    const { shard } = router.route('t');
    const mate = mates.find((key, i) => i > 0 && router.route(key).shard === shard)!;
    const stranger = mates.find(key => router.route(key).shard !== shard)!;
    await router.transaction(['t', mate], async ({ table }) => table);
    await router.transaction(['t', mate], async tx => {
      await tx.table('orders').insert({ tenant: 't', id: 1 });
      await tx.table('orders').insert({ tenant: mate, id: 1 });
      expect(await tx.table('orders').select('id').where('tenant', 'in', ['t', mate]).all()).toHaveLength(2);
      expect(await tx.table('orders').select('id').where({ tenant: 't' }).everywhere().all()).toHaveLength(1);
    });
    const undone = router.transaction('t', async tx => {
      await tx.table('orders').delete().where({ tenant: 't' }).run();
      throw new Error('no');
    });
    await expect(undone).rejects.toThrow('no');
    expect(await orders.get({ tenant: 't', id: 1 })).toBeDefined();
    await expect(router.transaction(['t', stranger], async () => {})).rejects.toThrow(CrossShardError);
    const strays = router.transaction('t', tx => tx.table('orders').insert({ tenant: stranger, id: 1 }));
    await expect(strays).rejects.toThrow(CrossShardError);
  });

  it('refuses before anything is sent', async () => {
    const orders = router.table('orders');
    const any = orders as never as Record<
      string,
      (...args: unknown[]) => { where(...args: unknown[]): unknown }
    >;
    await expect(any['insert']!({ tenant: null, id: 1 })).rejects.toThrow(InvalidShardKeyError);
    await expect(any['insert']!({ id: 1 })).rejects.toThrow(InvalidShardKeyError);
    await expect(any['insert']!({ tenant: 'a' })).rejects.toThrow(InvalidValueError);
    await expect(any['insert']!({ tenant: 'a', id: '1' })).rejects.toThrow(InvalidValueError);
    await expect(any['insert']!({ tenant: 'a', id: 1, nonsense: 1 })).rejects.toThrow(InvalidValueError);
    await expect(any['insert']!({ tenant: 'a', id: 1, lines: undefined })).rejects.toThrow(InvalidValueError);
    const twice = [1, 1n].map(id => ({ tenant: 'a', id }));
    await expect(any['insert']!(twice)).rejects.toThrow(InvalidValueError);
    expect(() => any['update']!({ tenant: 'b' })).toThrow(ShardKeyUpdateError);
    expect(() => any['update']!({})).toThrow(InvalidValueError);
    expect(() => any['select']!().where('about', '=', 1)).toThrow(InvalidValueError);
    expect(() => any['select']!().where('lines', '=', null)).toThrow('is null');
    expect(() => any['select']!().where('lines', '~', 1)).toThrow(InvalidValueError);
    expect(() => any['select']!('nonsense')).toThrow(InvalidValueError);
    expect(() => router.table('nonsense' as never)).toThrow(InvalidValueError);
  });
});

it('shards without tables are refused', async () => {
  const store = memoryStore();
  const bare = { read: <T>(work: (client: object) => Promise<T>) => work({ get: () => {} }) };
  const shards = { one: { ...bare, write: bare.read, transaction: bare.read } };
  const router = new ShardRouter({ shards, store, key: 'text', tables });
  await router.ready();
  const orders = router.table('orders');
  await expect(orders.get({ tenant: 'a', id: 1 })).rejects.toThrow(UnsupportedClientError);
  await expect(orders.insert({ tenant: 'a', id: 1 })).rejects.toThrow(UnsupportedClientError);
  await expect(orders.select().everywhere().all()).rejects.toThrow(UnsupportedClientError);
  await router.close();
  await store.close();
});

describe('specs of tables', () => {
  const right = {
    key: ['tenant'],
    primaryKey: ['tenant', 'id'],
    columns: { tenant: 'text', id: 'int8', about: 'jsonb' },
  };
  it.each([
    ['without the key in its primary key', { primaryKey: ['id'] }, 'PRIMARY KEY (tenant, id)'],
    [
      'with another type of key',
      { columns: { ...right.columns, tenant: 'int8' } },
      "the router's key has text",
    ],
    ['with more columns in its key', { key: ['tenant', 'id'] }, '2 columns'],
    ['with an unknown type', { columns: { ...right.columns, id: 'serial' } }, 'int8, int4'],
    ['with an unknown column', { primaryKey: ['tenant', 'ID'] }, '"ID"'],
    ['with a column twice', { primaryKey: ['tenant', 'tenant'] }, 'twice'],
    ['with JSON in its primary key', { primaryKey: ['tenant', 'about'] }, 'jsonb'],
    ['without a key', { key: undefined }, '`key`'],
    ['without columns', { columns: undefined }, '`columns`'],
  ])('%s are refused', (_, change, words) => {
    const store = memoryStore();
    const make = () =>
      new ShardRouter({
        shards: memoryShards(['a']),
        store,
        key: 'text',
        tables: { orders: { ...right, ...change } as never },
      });
    expect(make).toThrow(
      expect.objectContaining({ option: 'tables.orders', message: expect.stringContaining(words) }),
    );
  });
});
