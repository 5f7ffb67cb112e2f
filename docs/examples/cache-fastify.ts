// #region program
import { Cache } from '@ashlar/cache-policies';
import Fastify from 'fastify';

const table = new Map([['1', { name: 'lamp' }]]); // your database

const responses = new Cache<string, unknown>({
  max: 10_000,
  ttlMs: 30_000,
  staleMs: 300_000, // then answered at once, while one request refreshes it
  staleIfErrorMs: 3_600_000, // and as long while the database is down
  timeoutMs: 2_000,
});

const app = Fastify();
app.get('/products', ({ url }) => responses.get(url, async () => [...table], { tags: ['products'] }));
app.get<{ Params: { id: string } }>('/products/:id', async ({ url, params: { id } }, reply) => {
  const product = await responses.get(url, async () => table.get(id) ?? null, { tags: [`product:${id}`] });
  return product ?? reply.code(404).send({ error: 'no such product' });
});
app.post<{ Params: { id: string }; Body: { name: string } }>('/products/:id', async ({ params, body }) => {
  table.set(params.id, body);
  await responses.invalidateTags(['products', `product:${params.id}`]);
  return body;
});
app.addHook('onClose', () => responses.close());
process.once('SIGTERM', () => app.close());
await app.listen({ port: 0 }); // yours

const get = async (url: string) => (await app.inject(url)).body;
console.log(await get('/products/1')); // {"name":"lamp"}
table.set('1', { name: 'changed by somebody else' });
console.log(await get('/products/1')); // {"name":"lamp"}
await app.inject({ method: 'POST', url: '/products/1', payload: { name: 'desk' } });
console.log(await get('/products/1')); // {"name":"desk"}
console.log(await get('/products')); // [["1",{"name":"desk"}]]
console.log(await get('/products/2')); // {"error":"no such product"}
await app.close();
console.log(responses.snapshot().closed); // true
// #endregion program
