// #region program
import { Cache } from '@ashlar/cache-policies';
import { redisTier } from '@ashlar/cache-policies/redis';
import { messages, Queue } from '@ashlar/queue';
import { redisStreams } from '@ashlar/queue/redis-streams';
import { withLease } from '@ashlar/store';
import { redisStore } from '@ashlar/store/redis';
import { Redis } from 'ioredis';

const url = process.env['REDIS_URL'] ?? 'redis://localhost:6379';
const redis = new Redis(url);
redis.on('error', error => console.error(error.message));

const products = new Cache<string, string>({
  max: 10_000,
  ttlMs: 60_000,
  remote: redisTier({ redis, prefix: 'products' }), // shared by processes
  load: async id => `product ${id}`, // your database
});
console.log(await products.get('42')); // product 42

const store = redisStore({ redis }); // was: memoryStore()
await withLease(store, 'report', { ttlMs: 10_000 }, async () => {
  console.log('one process at a time'); // one process at a time
});

type Messages = { mail: { to: string } };
const driver = redisStreams({ redis }); // was: memoryDriver()
const queue = new Queue(driver, { messages: messages<Messages>() });
await queue.subscribe('mail', ({ to }) => console.log(`mail to ${to}`)); // mail to ada
await queue.publish('mail', { to: 'ada' });
// #endregion program

for (let left = 1; left > 0; ) {
  const { waiting = 0, active = 0 } = await queue.stats('mail');
  left = waiting + active;
}
await queue.close();
await products.close();
await store.close();
redis.disconnect();
