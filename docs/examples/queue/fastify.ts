// #region program
import { memoryDriver, messages, PublishError, Queue, QueueFullError } from '@ashlar/queue';
import Fastify from 'fastify';

type Messages = { 'order.placed': { product: string } };

const queue = new Queue(memoryDriver(), { messages: messages<Messages>(), name: 'shop' }); // later: redisStreams({ redis })
const bill = ({ product }: { product: string }) => {
  console.log(`billing ${product}`); // billing lamp
};
await queue.subscribe('order.placed', bill, { group: 'billing' });

const app = Fastify();
app.post('/orders', async (request, reply) => {
  const { product } = request.body as { product: string };
  // A client that got no answer sends its key again: then it is the same message
  const id = request.headers['idempotency-key'] ?? crypto.randomUUID();
  reply.code(202);
  return queue.publish('order.placed', { product }, { id: `order-${id}` });
});
app.get('/health', async (_request, reply) => {
  const health = queue.health();
  return reply.code(health.ok ? 200 : 503).send(health);
});
app.setErrorHandler((error, _request, reply) => {
  // It may have been published: the same key again is safe
  if (error instanceof PublishError || error instanceof QueueFullError) {
    return reply.code(503).header('retry-after', '1').send({ error: error.message });
  }
  throw error;
});
app.addHook('onClose', () => queue.close()); // after the requests in flight; handlers that run end first
await app.listen({ port: 0 }); // your port
process.once('SIGTERM', () => app.close());

// #endregion program

const headers = { 'idempotency-key': '7' };
const order = () => app.inject({ method: 'POST', url: '/orders', headers, payload: { product: 'lamp' } });
const first = await order();
console.log(first.statusCode, first.body); // 202 {"id":"order-7"}
console.log((await order()).body); // {"id":"order-7","isDuplicate":true}
console.log((await app.inject('/health')).json().ok); // true
await app.close();
