// #region program
import { memoryDriver, messages, Queue } from '@ashlar/queue';

type Messages = { 'order.placed': { id: string } };

const driver = memoryDriver(); // later: redisStreams({ redis })
const queue = new Queue(driver, { messages: messages<Messages>() });

const seen: string[] = [];
for (const group of ['billing', 'mail']) {
  const handle = ({ id }: { id: string }) => void seen.push(`${group} has ${id}`);
  await queue.subscribe('order.placed', handle, { group });
}
await queue.publish('order.placed', { id: '1' });
await queue.close(); // waits for handlers that run
console.log(seen.sort().join(', ')); // billing has 1, mail has 1
// #endregion program
