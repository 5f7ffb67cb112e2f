// #region program
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Cache, LoadTimeoutError } from '@ashlar/cache-policies';
import express, { type NextFunction, type Request, type Response } from 'express';

const table = new Map([['1', { name: 'lamp' }]]); // your database

const responses = new Cache<string, unknown>({
  max: 10_000,
  ttlMs: 30_000,
  staleMs: 300_000, // then answered at once, while one request refreshes it
  staleIfErrorMs: 3_600_000, // and as long while the database is down
  timeoutMs: 2_000,
});

const app = express();
app.get('/products', async ({ originalUrl }, response) => {
  response.json(await responses.get(originalUrl, async () => [...table], { tags: ['products'] }));
});
app.get('/products/:id', async ({ originalUrl, params: { id } }, response) => {
  const load = async () => table.get(id) ?? null;
  const product = await responses.get(originalUrl, load, { tags: [`product:${id}`] });
  if (product === null) response.status(404).json({ error: 'no such product' });
  else response.json(product);
});
app.post('/products/:id', express.json(), async ({ params: { id }, body }, response) => {
  table.set(id, body);
  await responses.invalidateTags(['products', `product:${id}`]);
  response.json(body);
});
app.use((error: unknown, _request: Request, response: Response, _next: NextFunction) => {
  response.sendStatus(error instanceof LoadTimeoutError ? 504 : 502);
});
const server = app.listen(0); // yours
const close = async () => {
  server.close();
  await once(server, 'close'); // those who are being answered still need the cache
  await responses.close();
};
process.once('SIGTERM', close);

await once(server, 'listening');
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const get = async (path: string) => (await fetch(origin + path)).text();
console.log(await get('/products/1')); // {"name":"lamp"}
table.set('1', { name: 'changed by somebody else' });
console.log(await get('/products/1')); // {"name":"lamp"}
const headers = { 'content-type': 'application/json' };
await fetch(`${origin}/products/1`, { method: 'POST', headers, body: '{"name":"desk"}' });
console.log(await get('/products/1')); // {"name":"desk"}
console.log(await get('/products')); // [["1",{"name":"desk"}]]
console.log(await get('/products/2')); // {"error":"no such product"}
await close();
console.log(responses.snapshot().closed); // true
// #endregion program
