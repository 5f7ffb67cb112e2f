// #region program
import { once } from 'node:events';
import { Cache, LoadError, LoadTimeoutError } from '@ashlar/cache-policies';
import express, { type NextFunction, type Request, type Response } from 'express';

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
function cached({ headers, originalUrl }: Request, load: () => Promise<unknown>, tags: string[]) {
  if (headers.authorization !== undefined || headers.cookie !== undefined) return load();
  return responses.get(originalUrl, load, { tags });
}

/** Express 4 ignores the promise that a handler returns, so a rejection would end the process. This passes it to `next`. */
function handler(handle: (request: Request, response: Response) => Promise<unknown>) {
  return (request: Request, response: Response, next: NextFunction) => {
    handle(request, response).catch(next);
  };
}

const app = express();
app.use((_request, response, next) => {
  if (!server.listening) response.set('connection', 'close'); // a client that keeps it would hold up the shutdown
  next();
});
app.get(
  '/products',
  handler(async (request, response) => {
    response.json(await cached(request, () => query(() => [...table]), ['products']));
  }),
);
app.get(
  '/products/:id',
  handler(async (request, response) => {
    const id = String(request.params['id']);
    const load = () => query(() => table.get(id) ?? null);
    const product = await cached(request, load, [`product:${id}`]);
    if (product === null) response.status(404).json({ error: 'no such product' });
    else response.json(product);
  }),
);
app.post(
  '/products/:id',
  express.json(),
  handler(async ({ params, body }, response) => {
    const id = String(params['id']);
    await query(() => table.set(id, body));
    await responses.invalidateTags(['products', `product:${id}`]);
    response.json(body);
  }),
);
app.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
  if (response.headersSent) next(error);
  else if (error instanceof LoadTimeoutError) response.sendStatus(504);
  else if (error instanceof LoadError) response.sendStatus(502);
  else next(error); // a bad request body is a 400, a bug is a 500
});
const server = app.listen(0); // your port
const close = async () => {
  server.close();
  await once(server, 'close'); // requests in flight still need the cache
  await responses.close();
};
process.once('SIGTERM', close);

// #endregion program

import type { AddressInfo } from 'node:net';

await once(server, 'listening');
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const get = async (path: string, headers = {}) => (await fetch(origin + path, { headers })).text();
console.log(await get('/products/1')); // {"name":"lamp"}
table.set('1', { name: 'changed by another program' });
console.log(await get('/products/1')); // {"name":"lamp"}
console.log(await get('/products/1', { cookie: 'session=1' })); // {"name":"changed by another program"}
console.log(await get('/products/1', { authorization: 'Bearer 1' })); // {"name":"changed by another program"}
console.log(await get('/products/1')); // {"name":"lamp"}
const post = (body: string) => {
  return fetch(`${origin}/products/1`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
};
await post('{"name":"desk"}');
console.log(await get('/products/1')); // {"name":"desk"}
console.log(await get('/products')); // [["1",{"name":"desk"}]]
console.log(await get('/products/2')); // {"error":"no such product"}
isDown = true;
console.log(await get('/products/1')); // {"name":"desk"}
console.log(await get('/products/3')); // Bad Gateway
isDown = false;
app.set('env', 'test'); // or Express prints the error
console.log((await post('{')).status); // 400
await close();
console.log(responses.snapshot().closed); // true
