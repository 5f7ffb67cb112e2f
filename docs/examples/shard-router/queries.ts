// #region program
import { memoryShards, ShardRouter } from '@ashlar/shard-router';
import { memoryStore } from '@ashlar/store';

const store = memoryStore();
const router = new ShardRouter({
  shards: memoryShards(['one', 'two']),
  store,
  key: 'text',
  tables: {
    orders: {
      key: ['tenant'],
      primaryKey: ['tenant', 'id'],
      columns: { tenant: 'text', id: 'int8', total: 'numeric', status: 'text' },
    },
  },
});
await router.ready();
const orders = router.table('orders');
await orders.insert([1, 2, 3].map(id => ({ tenant: 'acme', id, total: id * 10, status: 'open' })));
await orders.upsert({ tenant: 'globex', id: 1, total: '99.90', status: 'paid' });

// One shard, which the key in the conditions says
await orders.update({ status: 'paid' }).where({ tenant: 'acme' }).where('id', '<=', 2).run();
await router.transaction('acme', async tx => {
  const order = await tx.table('orders').get({ tenant: 'acme', id: 3 });
  if (order?.status === 'open') await tx.table('orders').delete().where({ tenant: 'acme', id: 3 }).run();
});

// All shards: said by `everywhere`, merged as they stream
const paid: string[] = [];
const query = orders
  .select('tenant', 'total')
  .where({ status: 'paid' })
  .orderBy('total', 'desc')
  .everywhere();
for await (const { tenant, total } of query) paid.push(`${tenant} ${total}`);
console.log(paid.join(', ')); // globex 99.90, acme 20, acme 10
const page = await orders.select().orderBy('id').everywhere().page({ size: 2 });
console.log(page.rows.length, page.next !== undefined); // 2 true
const [sum] = await orders
  .aggregate({ n: { count: '*' }, total: { sum: 'total' } })
  .everywhere()
  .all();
console.log(sum); // { n: 3n, total: '129.90' }
await router.close();
await store.close();
// #endregion program
