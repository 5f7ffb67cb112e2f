// #region program
import { memoryDriver, messages, Queue } from '@ashlar/queue';

type Messages = { 'order.placed': { id: string } };

const queue = new Queue(memoryDriver(), { messages: messages<Messages>() }); // later: redisStreams({ redis })

const seen: string[] = [];
for (const group of ['billing', 'mail']) {
  await queue.subscribe('order.placed', ({ id }) => void seen.push(`${group} has ${id}`), { group });
}
await queue.publish('order.placed', { id: '1' });
await queue.close(); // waits for handlers that run
console.log(seen.sort().join(', ')); // billing has 1, mail has 1
// #endregion program
