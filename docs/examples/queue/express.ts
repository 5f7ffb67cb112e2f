// #region program
import { once } from 'node:events';
import { memoryDriver, messages, PublishError, Queue, QueueFullError } from '@ashlar/queue';
import express, { type NextFunction, type Request, type Response } from 'express';

type Messages = { 'order.placed': { product: string } };

const queue = new Queue(memoryDriver(), { messages: messages<Messages>(), name: 'shop' }); // later: redisStreams({ redis })
const bill = ({ product }: { product: string }) => {
  console.log(`billing ${product}`); // billing lamp
};
await queue.subscribe('order.placed', bill, { group: 'billing' });

const app = express();
app.use((_request, response, next) => {
  if (!server.listening) response.set('connection', 'close'); // a client that keeps it would hold up the shutdown
  next();
});
app.post('/orders', express.json(), (request, response, next) => {
  // A client that got no answer sends its key again: then it is the same message
  const id = request.get('idempotency-key') ?? crypto.randomUUID();
  queue
    .publish('order.placed', { product: request.body.product }, { id: `order-${id}` })
    .then(published => response.status(202).json(published), next);
});
app.get('/health', (_request, response) => {
  const health = queue.health();
  response.status(health.ok ? 200 : 503).json(health);
});
app.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
  // It may have been published: the same key again is safe
  if (error instanceof PublishError || error instanceof QueueFullError) {
    response.status(503).set('retry-after', '1').json({ error: error.message });
  } else next(error);
});
const server = app.listen(0); // your port
const close = async () => {
  server.close();
  await once(server, 'close'); // requests in flight still publish
  await queue.close(); // handlers that run end first
};
process.once('SIGTERM', close);

// #endregion program

import type { AddressInfo } from 'node:net';

await once(server, 'listening');
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const order = () =>
  fetch(`${origin}/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': '7' },
    body: '{"product":"lamp"}',
  });
const first = await order();
console.log(first.status, await first.text()); // 202 {"id":"order-7"}
console.log(await (await order()).text()); // {"id":"order-7","isDuplicate":true}
console.log((await (await fetch(`${origin}/health`)).json()).ok); // true
await close();
