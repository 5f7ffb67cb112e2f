// #region program
import { setTimeout as delay } from 'node:timers/promises';
import { memoryDriver, messages, Queue } from '@ashlar/queue';

const queue = new Queue(memoryDriver(), { messages: messages<{ charge: { cents: number } }>() });
let isAway = true;
const charged: number[] = [];

await queue.subscribe(
  'charge',
  ({ cents }) => {
    if (isAway) throw new Error('the payment service is away');
    charged.push(cents);
  },
  { attempts: 3, backoff: { firstMs: 10, maxMs: 20 } },
);
await queue.publish('charge', { cents: 4200 });

const dead = queue.dead('charge');
while ((await dead.count()) === 0) await delay(10);
for await (const { payload, reason } of dead) console.log(payload, reason); // { cents: 4200 } Error: the payment service is away

isAway = false;
console.log(await dead.redrive()); // 1
while (charged.length === 0) await delay(10);
console.log(charged); // [ 4200 ]
// #endregion program
await queue.close();
