import { memoryStore } from '@ashlar/store';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { CrossShardError, InvalidQueryError, InvalidValueError, ShardRouter } from '../../../src/index.ts';
import { backends, tables } from '../orders.ts';

describe.each(backends)('joins on the shards: %s', (_, shards) => {
  const store = memoryStore();
  const open = () => new ShardRouter({ shards: shards(), store, key: 'int8', tables });
  let router: ReturnType<typeof open>;
  const tenants = 12;
  beforeAll(async () => {
    router = open();
    await router.ready();
    for (let tenant = 0; tenant < tenants; tenant++) {
      await router.table('customers').insert([1, 2].map(id => ({ tenant, id, name: `${tenant}/${id}` })));
      const customers = [1, 1, 2, 3, null];
      await router
        .table('orders')
        .insert(customers.map((customer, id) => ({ tenant, id, customer, product: `p${id % 2}` })));
    }
  });
  afterAll(async () => {
    await router.close();
    await store.close();
  });

  const query = () => router.table('orders').select('tenant', 'id', 'customer').orderBy('id', 'desc');
  const customers = () => router.table('customers').select('tenant', 'id', 'name');

  it('gives a row for each pair, in the order of the query, and with a left join for rows that have none', async () => {
    const found = await query()
      .everywhere()
      .join('buyer', customers(), { tenant: 'tenant', customer: 'id' })
      .all();
    expect(found).toHaveLength(3 * tenants);
    expect(found.every(({ tenant, buyer }) => buyer.name === `${tenant}/${buyer.id}`)).toBe(true);
    expect(found.map(({ id }) => id)).toEqual([2, 1, 0].flatMap(id => Array(tenants).fill(id)));
    const all = await query()
      .where({ tenant: 3 })
      .leftJoin('buyer', customers().where('name', '<>', '3/2'), { tenant: 'tenant', customer: 'id' })
      .all();
    expect(all.map(({ id, buyer }) => [id, buyer?.name])).toEqual([
      [4, undefined],
      [3, undefined],
      [2, undefined],
      [1, '3/1'],
      [0, '3/1'],
    ]);
  });

  it('joins several, also the other way round, with a limit, in a stream, and with look-ups of what it finds', async () => {
    const orders = router.table('orders').select('tenant', 'id', 'customer');
    const pairs = customers()
      .where({ tenant: 5 })
      .orderBy('id')
      .join('order', orders, { tenant: 'tenant', id: 'customer' })
      .leftJoin('same', customers(), { tenant: 'tenant', id: 'id' });
    const rows = await pairs.lookup('all', customers(), { tenant: 'tenant' }).all();
    expect(rows.map(({ id, order, same, all }) => [id, order.id, same?.name, all.length])).toEqual([
      [1, 0, '5/1', 2],
      [1, 1, '5/1', 2],
      [2, 2, '5/2', 2],
    ]);
    expect((await pairs.limit(2).all()).map(({ order }) => order.id)).toEqual([0, 1]);
    expect((await pairs.first())?.order.id).toBe(0);
    for await (const { order } of query()
      .everywhere()
      .join('order', orders, { tenant: 'tenant', id: 'customer' })
      .stream({ batchRows: 2 })) {
      expect(order.customer).toBe(3n);
      break;
    }
    const within = await router.transaction(5, tx => {
      const own = tx.table('customers').select('tenant', 'id');
      return own
        .where({ tenant: 5 })
        .join('order', tx.table('orders').select('tenant', 'customer'), { tenant: 'tenant', id: 'customer' })
        .all();
    });
    expect(within).toHaveLength(3);
  });

  it('refuses rows that may be on different shards, and what it could not do right', async () => {
    const other = new ShardRouter({ shards: shards(), store, name: 'others', key: 'int8', tables });
    onTestFinished(() => other.close());
    await other.ready();
    const on = { tenant: 'tenant', customer: 'id' } as const;
    const wrong = [
      () => query().join('buyer', customers(), { customer: 'id' }),
      () => query().join('buyer', customers(), { tenant: 'id', customer: 'tenant' } as never),
      () => query().join('buyer', other.table('customers').select('tenant', 'id'), on),
      () => query().join('tenant', customers(), on),
      () => query().join('buyer', customers().limit(1), on),
      () => query().join('buyer', customers().orderBy('name'), on),
      () => query().join('buyer', customers(), {}),
    ];
    for (const make of wrong) expect(make).toThrow(InvalidQueryError);
    const joined = query().join('buyer', customers(), on);
    await expect(joined.all()).rejects.toThrow(CrossShardError);
    const { name } = { name: 'n'.repeat(60) };
    expect(() => query().join(name, customers(), on)).toThrow('give the join a shorter one');
    expect(() => query().join('a"b', customers(), on)).toThrow('without quotes');
    expect(() => joined.limit(3).aggregate({ n: { count: '*' } })).toThrow('limit');
    expect(() => joined.orderBy('buyer.nonsense' as never)).toThrow(InvalidValueError);
    const { next } = await query().everywhere().page({ size: 3 });
    await expect(joined.everywhere().page({ size: 3, after: next! })).rejects.toThrow('no cursor');
    const looked = joined.lookup('all', customers(), { tenant: 'tenant' });
    expect(() => looked.aggregate({ n: { count: '*' } })).toThrow('Use `join`');
  });

  it('pages, counts, filters, orders and groups the pairs by columns of both', async () => {
    const on = { tenant: 'tenant', customer: 'id' } as const;
    const inner = query().everywhere().join('buyer', customers(), on);
    const outer = query().everywhere().leftJoin('buyer', customers(), on);
    expect([await inner.count(), await outer.count()]).toEqual([36n, 60n]);
    expect(await inner.where('buyer.name', '=', '3/1').count()).toBe(2n);
    expect(await outer.where('buyer.id', 'is null').count()).toBe(24n);
    const many = customers()
      .everywhere()
      .orderBy('tenant')
      .leftJoin('order', router.table('orders').select('tenant', 'customer', 'product'), {
        tenant: 'tenant',
        id: 'customer',
      });
    for (const pairs of [inner, outer.orderBy('buyer.name', 'desc'), many]) {
      const all = await pairs.all();
      const paged = [];
      for (let after: string | undefined, isFirst = true; isFirst || after !== undefined; isFirst = false) {
        const page = await pairs.page({ size: 7, after });
        paged.push(...page.rows);
        after = page.next;
      }
      expect(paged).toEqual(all);
    }
    const groups = outer
      .aggregate({ orders: { count: '*' }, buyers: { count: 'buyer.id' }, last: { max: 'buyer.name' } })
      .groupBy('buyer.id');
    expect(await groups.all()).toEqual([
      { 'buyer.id': 1, orders: 24n, buyers: 24n, last: '9/1' },
      { 'buyer.id': 2, orders: 12n, buyers: 12n, last: '9/2' },
      { 'buyer.id': null, orders: 24n, buyers: 0n, last: null },
    ]);
    expect(await groups.having('orders', '>', 12n).where('buyer.id', '=', 1).all()).toHaveLength(1);
    // Of a look-up, those of the rows
    const looked = query().everywhere().lookup('all', customers(), on);
    expect(await looked.count()).toBe(60n);
    const { rows, next } = await looked.page({ size: 2 * tenants + 1 });
    expect(rows.map(({ all }) => all.length)).toEqual([...Array(2 * tenants).fill(0), 1]);
    expect((await looked.page({ size: 100, after: next })).rows).toHaveLength(60 - 2 * tenants - 1);
  });
});
