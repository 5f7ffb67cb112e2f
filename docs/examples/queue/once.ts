// #region program
import { memoryDriver, messages, Queue } from '@ashlar/queue';
import { memoryStore } from '@ashlar/store';

const queue = new Queue(memoryDriver(), { messages: messages<{ charge: { order: string } }>() });
const store = memoryStore(); // shared by the workers: redisStore({ redis, prefix: 'billing-once' })

const keys: string[] = [];
await queue.subscribe('charge', (_, { idempotencyKey }) => void keys.push(idempotencyKey), {
  concurrency: 1,
  idempotency: { store, mode: 'external', key: ({ order }: { order: string }) => order },
});
await queue.publish('charge', { order: '17' });
await queue.publish('charge', { order: '17' }); // the user has pressed the button again
while (queue.snapshot().subscriptions[0]!.handled < 2) await new Promise(resolve => setImmediate(resolve));
console.log(keys); // [ 'default:charge:17' ]
// #endregion program
await queue.close();
await store.close();
