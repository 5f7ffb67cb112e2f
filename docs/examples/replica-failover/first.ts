// #region program
import { memoryCluster, ReplicaSet, Session } from '@ashlar/replica-failover';

const cluster = memoryCluster(); // later: postgresServers({ servers, newClient })
const set = await ReplicaSet.connect({ servers: cluster.servers() });

const session = new Session();
await set.write(db => db.set('cart:7', 'a book'), { session });
// On a replica that has it
console.log(await set.read(db => db.get('cart:7'), { session })); // a book

cluster.kill('a');
cluster.promote('b');
// Waits for the new primary
await set.write(db => db.set('cart:7', 'two books'), { session });
console.log(await set.read(db => db.get('cart:7'), { session })); // two books
// #endregion program
await set.close();
