// #region program
import { leading, memoryCluster, ReplicaSet } from '@ashlar/replica-failover';
import { memoryStore } from '@ashlar/store';

const cluster = memoryCluster();
const store = memoryStore(); // for PostgreSQL: postgresStore({ pool }), of another server
const set = await ReplicaSet.connect({ servers: cluster.servers(), authority: leading({ store }) });

cluster.kill('a');
await set.write(db => db.set('price', '12')); // on the standby that the processes have promoted
console.log(set.snapshot().term); // 2
// #endregion program
await set.close();
await store.close();
