import { memoryStore } from '@ashlar/store';
import type pg from 'pg';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { keyGuards } from '../../src/adapters/postgres.ts';
import { CrossShardError, memoryShards, ShardKeyUpdateError, ShardRouter } from '../../src/index.ts';
import { databases } from './databases.ts';

const tables = {
  orders: {
    key: ['tenant'],
    primaryKey: ['tenant', 'id'],
    columns: { tenant: 'text', id: 'int4', note: 'text' },
  },
  lines: {
    key: ['tenant'],
    primaryKey: ['tenant', 'line'],
    columns: { tenant: 'text', line: 'int4', order: 'int4' },
  },
} as const;

const postgres = databases(`CREATE TABLE orders (tenant text, id int4, note text, PRIMARY KEY (tenant, id));
  CREATE TABLE lines (tenant text, line int4, "order" int4, PRIMARY KEY (tenant, line),
    FOREIGN KEY (tenant, "order") REFERENCES orders ON UPDATE CASCADE ON DELETE CASCADE)`);

it('whatever the tables are asked that changes a shard key, or is for several shards, is refused before anything is sent', async () => {
  const store = memoryStore();
  const router = new ShardRouter({ shards: memoryShards(['one', 'two']), store, key: 'text', tables });
  onTestFinished(async () => {
    await router.close();
    await store.close();
  });
  await router.ready();
  const tenants = ['one', 'two'].map(shard => {
    for (let i = 0; ; i++) if (router.route(`t${i}`).shard === shard) return `t${i}`;
  });
  const [here, there] = tenants as [string, string];
  const orders = router.table('orders');
  await orders.insert({ tenant: here, id: 1, note: 'a' });
  expect(() => orders.update({ tenant: there } as never)).toThrow(ShardKeyUpdateError);
  await router.transaction(here, async tx => {
    expect(() => tx.table('orders').update({ tenant: there } as never)).toThrow(ShardKeyUpdateError);
    await expect(tx.table('orders').insert({ tenant: there, id: 1 })).rejects.toThrow(CrossShardError);
    await expect(tx.table('orders').upsert({ tenant: there, id: 1 })).rejects.toThrow(CrossShardError);
    await expect(tx.table('orders').delete().where({ tenant: there }).run()).rejects.toThrow(CrossShardError);
    await expect(tx.table('orders').delete().everywhere().run()).rejects.toThrow(CrossShardError);
    await expect(tx.table('orders').get({ tenant: there, id: 1 })).rejects.toThrow(CrossShardError);
  });
  const both = [here, there].map(tenant => ({ tenant, id: 9 }));
  const refused = [
    () => orders.insert(both),
    () => orders.upsert(both),
    () => orders.update({ note: 'b' }).run(),
    () => orders.update({ note: 'b' }).where('tenant', 'in', tenants).run(),
    () => orders.delete().where({ id: 1 }).run(),
    () => orders.delete().where('tenant', 'in', tenants).run(),
    () => router.transaction(tenants, async () => {}),
  ];
  for (const run of refused) await expect(run()).rejects.toThrow(CrossShardError);
  expect(await orders.select().everywhere().all()).toEqual([{ tenant: here, id: 1, note: 'a' }]);
});

describe('guards of the shard key', () => {
  let db: pg.Client;
  beforeAll(async () => {
    db = await postgres.client('one');
    await db.query(keyGuards(tables));
    await db.query(keyGuards(tables));
  });

  it('refuse every statement that changes it, also through a cascade, and let the others pass', async () => {
    await db.query(
      "INSERT INTO orders VALUES ('a', 1, 'x'), ('b', 2, 'y'); INSERT INTO lines VALUES ('a', 1, 1)",
    );
    const refused = [
      "UPDATE orders SET tenant = 'c' WHERE tenant = 'a'",
      "UPDATE orders SET tenant = 'c' WHERE tenant = 'b'",
      'UPDATE lines SET tenant = \'b\', "order" = 2',
      "INSERT INTO orders VALUES ('b', 2, '') ON CONFLICT (tenant, id) DO UPDATE SET tenant = 'c'",
      "MERGE INTO orders o USING (SELECT 2 AS id) s ON o.id = s.id WHEN MATCHED THEN UPDATE SET tenant = 'c'",
    ];
    for (const statement of refused)
      await expect(db.query(statement)).rejects.toMatchObject({ code: 'AS410' });
    await db.query("UPDATE orders SET tenant = 'a', note = 'z', id = 3 WHERE tenant = 'a'");
    const { rows } = await db.query('SELECT "order" FROM lines');
    expect(rows).toEqual([{ order: 3 }]);
    await db.query("DELETE FROM orders WHERE tenant = 'a'");
    expect((await db.query('SELECT FROM lines')).rows).toEqual([]);
  });

  it('let a transaction pass that means it', async () => {
    await db.query(
      "BEGIN; SET LOCAL ashlar.key_update = 'on'; UPDATE orders SET tenant = 'c' WHERE tenant = 'b'; COMMIT",
    );
    await expect(db.query("UPDATE orders SET tenant = 'd'")).rejects.toMatchObject({ code: 'AS410' });
    expect(() => keyGuards({})).toThrow('tables');
  });
});
