// #region program
import { memoryShards, ShardRouter } from '@ashlar/shard-router';
import { memoryStore } from '@ashlar/store';

const shards = memoryShards(['one', 'two']); // later: replica sets of PostgreSQL
const store = memoryStore(); // later: postgresStore({ pool })
const orders = {
  key: ['tenant'],
  primaryKey: ['tenant', 'id'],
  columns: { tenant: 'text', id: 'int8', total: 'numeric' },
} as const;
const router = new ShardRouter({ shards, store, key: 'text', tables: { orders } });
await router.ready();

await router.table('orders').insert({ tenant: 'acme', id: 1, total: '9.50' });
console.log(await router.table('orders').get({ tenant: 'acme', id: 1 })); // { tenant: 'acme', id: 1n, total: '9.50' }
console.log(router.explain('acme').words); // slot 110 of 1024 is on shard one in epoch 1
await router.close();
await store.close();
// #endregion program
