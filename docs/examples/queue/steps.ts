// #region program
import { memoryDriver, messages, Queue } from '@ashlar/queue';
import { memoryStore } from '@ashlar/store';

type Messages = {
  'order.reserve': { order: string };
  'order.charge': { order: string };
  'order.ship': { order: string };
};

const queue = new Queue(memoryDriver(), { messages: messages<Messages>() });
const idempotency = { store: memoryStore(), mode: 'external' } as const; // later: redisStore({ redis })
await queue.declare('order.ship'); // for another service

await queue.subscribe(
  'order.reserve',
  async ({ order }) => {
    console.log(`reserve ${order}`); // reserve 7
    // The id names the step: a repetition of this one publishes the next one once
    await queue.publish('order.charge', { order }, { id: `charge-${order}` });
  },
  { idempotency },
);
await queue.subscribe(
  'order.charge',
  async ({ order }, { attempt, idempotencyKey }) => {
    if (attempt === 1) throw new Error('the payment service is away');
    console.log(`charge ${order} with key ${idempotencyKey}`); // charge 7 with key default:order.charge:charge-7
    await queue.publish('order.ship', { order }, { id: `ship-${order}` });
  },
  { idempotency, backoff: { firstMs: 10 } },
);
await queue.publish('order.reserve', { order: '7' }, { id: 'reserve-7' });
// #endregion program

while ((await queue.stats('order.ship')).waiting === 0) await new Promise(resolve => setTimeout(resolve, 5));
await queue.close();
