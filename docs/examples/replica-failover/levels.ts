// #region program
import { memoryCluster, ReplicaSet } from '@ashlar/replica-failover';

const cluster = memoryCluster({ lagMs: 10 });
const set = await ReplicaSet.connect({ servers: cluster.servers() });
for (const id of ['b', 'c']) cluster.pauseReplay(id); // both replicas fall behind

await set.write(db => db.set('price', '12'));
const price = (consistency: 'strong' | 'eventual') => set.read(db => db.get('price'), { consistency });
console.log(await price('strong')); // 12
console.log(await price('eventual')); // undefined
// #endregion program
await set.close();
