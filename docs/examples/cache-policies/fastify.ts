// #region program
import { Cache, LoadError, LoadTimeoutError } from '@ashlar/cache-policies';
import Fastify, { type FastifyRequest } from 'fastify';

const table = new Map([['1', { name: 'lamp' }]]); // your database
let isDown = false;
async function query<T>(read: () => T): Promise<T> {
  if (isDown) throw new Error('the database is down');
  return read();
}

const responses = new Cache<string, unknown>({
  max: 10_000,
  ttlMs: 30_000,
  staleMs: 300_000, // stale-while-revalidate: answers at once, while one request refreshes the value
  staleIfErrorMs: 3_600_000, // stale-if-error: answers with the old value while the database is down
  timeoutMs: 2_000,
});

/** The value from the cache, by URL. What only one user may see goes past the cache, because a URL does not name the user. */
function cached({ headers, url }: FastifyRequest, load: () => Promise<unknown>, tags: string[]) {
  if (headers.authorization !== undefined || headers.cookie !== undefined) return load();
  return responses.get(url, load, { tags });
}

const app = Fastify();
app.get('/products', request => cached(request, () => query(() => [...table]), ['products']));
app.get('/products/:id', async (request, reply) => {
  const { id } = request.params as { id: string };
  const product = await cached(request, () => query(() => table.get(id) ?? null), [`product:${id}`]);
  return product ?? reply.code(404).send({ error: 'no such product' });
});
app.post('/products/:id', async ({ params, body }) => {
  const { id } = params as { id: string };
  await query(() => table.set(id, body as { name: string }));
  await responses.invalidateTags(['products', `product:${id}`]);
  return body;
});
app.setErrorHandler((error, _request, reply) => {
  if (error instanceof LoadTimeoutError) return reply.code(504).send({ error: 'gateway timeout' });
  if (error instanceof LoadError) return reply.code(502).send({ error: 'bad gateway' });
  return reply.send(error); // a bad request body is a 400, a bug is a 500
});
app.addHook('onClose', () => responses.close()); // once no request is in flight
process.once('SIGTERM', () => app.close());
await app.listen({ port: 0 }); // your port
// #endregion program

const get = async (url: string, headers = {}) => (await app.inject({ url, headers })).body;
console.log(await get('/products/1')); // {"name":"lamp"}
table.set('1', { name: 'changed by another program' });
console.log(await get('/products/1')); // {"name":"lamp"}
console.log(await get('/products/1', { cookie: 'session=1' })); // {"name":"changed by another program"}
console.log(await get('/products/1', { authorization: 'Bearer 1' })); // {"name":"changed by another program"}
console.log(await get('/products/1')); // {"name":"lamp"}
await app.inject({ method: 'POST', url: '/products/1', payload: { name: 'desk' } });
console.log(await get('/products/1')); // {"name":"desk"}
console.log(await get('/products')); // [["1",{"name":"desk"}]]
console.log(await get('/products/2')); // {"error":"no such product"}
isDown = true;
console.log(await get('/products/1')); // {"name":"desk"}
console.log(await get('/products/3')); // {"error":"bad gateway"}
isDown = false;
const headers = { 'content-type': 'application/json' };
const bad = await app.inject({ method: 'POST', url: '/products/1', headers, payload: '{' });
console.log(bad.statusCode); // 400
await app.close();
console.log(responses.snapshot().closed); // true
