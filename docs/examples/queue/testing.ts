// #region program
import assert from 'node:assert/strict';
import { messages } from '@ashlar/queue';
import { TestQueue } from '@ashlar/queue/testing';

type Messages = { 'order.placed': { id: string }; mail: { to: string } };

await using queue = new TestQueue({ messages: messages<Messages>() }); // goes where a Queue goes
await queue.subscribe('order.placed', async ({ id }) => {
  await queue.publish('mail', { to: id }, { delayMs: 3_600_000 });
});
let attempts = 0;
await queue.subscribe('mail', () => {
  if (++attempts < 3) throw new Error('the server is away');
});

await queue.publish('order.placed', { id: 'ada' }); // its handler has ended, too
assert.equal(queue.spy.handled('order.placed').length, 1);
assert.equal(attempts, 0);
await queue.drain(); // an hour and two pauses later, at once
const mail = await queue.spy.waitFor('mail', ({ to }) => to === 'ada');
console.log(`handled at attempt ${mail.attempt}`); // handled at attempt 3

queue.driver.inject('duplicate'); // what a real backend does at times
await queue.publish('order.placed', { id: 'bob' });
console.log(queue.spy.published('mail').length); // 3
// #endregion program
