import { memoryStore } from '@ashlar/store';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CrossShardError, InvalidQueryError, ShardRouter } from '../../../src/index.ts';
import { backends, tables } from '../orders.ts';

describe.each(backends)('look-up joins: %s', (_, shards) => {
  const store = memoryStore();
  const open = () => new ShardRouter({ shards: shards(), store, key: 'int8', tables });
  let router: ReturnType<typeof open>;
  const tenants = 60;
  beforeAll(async () => {
    router = open();
    await router.ready();
    for (let tenant = 0; tenant < tenants; tenant++) {
      await router.table('customers').insert([1, 2].map(id => ({ tenant, id, name: `${tenant}/${id}` })));
      const customers = [1, 1, 2, 3, null, 2n ** 40n];
      const orders = Array.from({ length: 24 }, (_, id) => ({
        tenant,
        id,
        customer: customers[id % 6] ?? null,
        product: `p${id % 3}`,
      }));
      await router.table('orders').insert(orders);
    }
  });
  afterAll(async () => {
    await router.close();
    await store.close();
  });

  it('each row has the rows of the other table that equal it, also none, also of more rows than are looked up at once', async () => {
    const customers = router.table('customers').select('tenant', 'id', 'name');
    const query = router.table('orders').select('tenant', 'id', 'customer').orderBy('id').everywhere();
    const found = await query.lookup('buyer', customers, { tenant: 'tenant', customer: 'id' }).all();
    expect(found).toHaveLength(24 * tenants);
    for (const { tenant, id, customer, buyer } of found) {
      const names = customer === 1n || customer === 2n ? [`${tenant}/${customer}`] : [];
      expect([id, ...buyer.map(({ name }) => name)]).toEqual([id, ...names]);
    }
    expect(found.map(({ id }) => id)).toEqual(found.map(({ id }) => id).sort((a, b) => a - b));
  });

  it('goes from row to row in both directions, several times, and stops early', async () => {
    const orders = router.table('orders').select('tenant', 'customer', 'id', 'product').orderBy('id', 'desc');
    const customers = router.table('customers').select('tenant', 'id');
    const one = customers.where({ tenant: 7 }).orderBy('id');
    const query = one
      .lookup('orders', orders.where('product', '<>', 'p1'), { tenant: 'tenant', id: 'customer' })
      .lookup('same', customers, { tenant: 'tenant' });
    const [first, second] = await query.all();
    expect(first!.orders.map(({ id }) => id)).toEqual([18, 12, 6, 0]);
    expect(second!.orders.map(({ id }) => id)).toEqual([20, 14, 8, 2]);
    expect(second!.same).toHaveLength(2);
    for await (const { same } of query) {
      expect(same).toHaveLength(2);
      break;
    }
    expect(
      await customers.where({ tenant: -1 }).lookup('orders', orders, { tenant: 'tenant' }).all(),
    ).toEqual([]);
  });

  it('refuses what it could not do right', async () => {
    const customers = router.table('customers').select('tenant', 'id', 'name');
    const orders = router.table('orders').select('tenant', 'id', 'customer', 'product').where({ tenant: 1 });
    const wrong = [
      () => orders.lookup('buyer', customers.limit(1), { tenant: 'tenant' }),
      () => orders.lookup('buyer', customers, {}),
      () => orders.lookup('tenant', customers, { tenant: 'tenant' }),
      () => orders.lookup('buyer', customers, { product: 'id' }),
      () => orders.lookup('buyer', router.table('customers').select('name'), { tenant: 'tenant' as never }),
      () =>
        router
          .table('orders')
          .select('id')
          .lookup('buyer', customers, { customer: 'id' } as never),
    ];
    for (const make of wrong) expect(make).toThrow(InvalidQueryError);
    // Not by the key of the other table: all shards would be asked for each batch
    const byName = orders.lookup('named', customers, { product: 'name' });
    await expect(byName.all()).rejects.toThrow(CrossShardError);
    expect(await orders.lookup('named', customers.everywhere(), { product: 'name' }).all()).toHaveLength(24);
  });
});
