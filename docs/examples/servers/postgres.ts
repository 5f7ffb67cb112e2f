// #region program
import { messages, Queue } from '@ashlar/queue';
import { postgresDriver } from '@ashlar/queue/postgres';
import { ReplicaSet } from '@ashlar/replica-failover';
import { postgresServers } from '@ashlar/replica-failover/postgres';
import { ShardRouter } from '@ashlar/shard-router';
import { postgresStore } from '@ashlar/store/postgres';
import pg from 'pg';

const url = process.env['DATABASE_URL'] ?? 'postgres://localhost/shop';
const pool = new pg.Pool({ connectionString: url, connectionTimeoutMillis: 1_000 });
pool.on('error', error => console.error(error.message));

// was: memoryCluster().servers()
const set = await ReplicaSet.connect({
  servers: postgresServers({
    servers: [{ id: 'db1', connection: url }], // and your replicas
    newClient: (connectionString: string) => new pg.Client({ connectionString }),
  }),
});
await set.write(db => db.query('CREATE TABLE IF NOT EXISTS orders (id text PRIMARY KEY)'));

const store = postgresStore({ pool }); // was: memoryStore()
await store.migrate(); // creates its table
const shards = { one: set }; // was: memoryShards(['one'])
const router = new ShardRouter({ shards, store, key: 'text' });
await router.ready();
console.log(router.route('acme').shard); // one

const driver = postgresDriver({ pool }); // was: memoryDriver()
await driver.migrate();
type Messages = { 'order.placed': { id: string } };
const queue = new Queue(driver, { messages: messages<Messages>() });
await queue.subscribe('order.placed', ({ id }) => console.log(`charging ${id}`)); // charging 1

const tx = await pool.connect();
await tx.query('BEGIN');
await tx.query("INSERT INTO orders (id) VALUES ('1')");
await queue.publish('order.placed', { id: '1' }, { tx });
await tx.query('COMMIT'); // both, or neither
tx.release();
// #endregion program

for (let left = 1; left > 0; ) {
  const { waiting = 0, active = 0 } = await queue.stats('order.placed');
  left = waiting + active;
}
await queue.close();
await router.close();
await store.close();
await set.close();
await pool.end();
