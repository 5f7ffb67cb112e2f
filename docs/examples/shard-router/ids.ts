// #region program
import { memoryCluster, ReplicaSet } from '@ashlar/replica-failover';
import { ShardIds, ShardRouter } from '@ashlar/shard-router';
import { memoryStore } from '@ashlar/store';

const store = memoryStore();
const shards = { one: await ReplicaSet.connect({ servers: memoryCluster().servers() }) };
const router = new ShardRouter({ shards, store, key: 'text' });
await router.ready();
const ids = new ShardIds({ router, store });
const order = await ids.next('acme');
console.log(router.routeId(order).slot === router.route('acme').slot); // true
await router.close();
for (const shard of Object.values(shards)) await shard.close();
await store.close();
// #endregion program
