// #region program
import { memoryDriver, messages, Queue } from '@ashlar/queue';

type Messages = { 'order.placed': { product: string } };

const open = () => new Queue(memoryDriver(), { messages: messages<Messages>(), name: 'shop' }); // later: redisStreams({ redis })
const place = globalThis as { shopQueue?: ReturnType<typeof open> };
place.shopQueue ??= open();

/** One a process, though Next.js loads this file for `instrumentation.ts`, and once more for the routes. */
export const queue = place.shopQueue;

/** Once a process: `register` calls it. */
export async function consume(): Promise<void> {
  const bill = ({ product }: { product: string }) => {
    console.log(`billing ${product}`); // billing lamp
  };
  await queue.subscribe('order.placed', bill, { group: 'billing' });
}
// #endregion program

await consume();
await queue.publish('order.placed', { product: 'lamp' });
await queue.close();
