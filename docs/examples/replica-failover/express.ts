// #region program
import {
  currentSession,
  memoryCluster,
  NoPrimaryError,
  NoServerError,
  OutcomeUnknownError,
  PositionLostError,
  ReplicaSet,
} from '@ashlar/replica-failover';
import { SessionCookie } from '@ashlar/replica-failover/cookie';
import express, { type NextFunction, type Request, type Response } from 'express';

const { SESSION_SECRET = 'while you develop' } = process.env; // the same in all processes
const cluster = memoryCluster({ lagMs: 60_000, synchronous: 0 }); // later: postgresServers({ servers, newClient })
const set = await ReplicaSet.connect({ name: 'shop', servers: cluster.servers() });
const cookie = new SessionCookie({ secrets: [SESSION_SECRET] });

const app = express();
app.use((_request, response, next) => {
  if (!server.listening) response.set('connection', 'close'); // a client that keeps it would hold up the shutdown
  next();
});
app.use(cookie.handle);
app.put('/cart', express.json(), async (request, response) => {
  await set.write(db => db.set('cart', request.body.product));
  response.json({ cart: await set.read(db => db.get('cart')) }); // what was just written
});
app.get('/cart', async (_request, response) => {
  response.json({ cart: await set.read(db => db.get('cart')) });
});
app.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
  if (error instanceof PositionLostError) {
    currentSession()?.reset(error.set); // the next request begins anew
    response.status(409).json({ error: 'What you saved last is lost.' });
  } else if (error instanceof OutcomeUnknownError) {
    response.status(504).json({ error: 'Look whether it was saved before you save it again.' });
  } else if (error instanceof NoPrimaryError || error instanceof NoServerError) {
    response.status(503).set('retry-after', '1').json({ error: 'Nothing was saved. Try again.' });
  } else next(error);
});
const server = app.listen(0); // your port
process.once('SIGTERM', () => server.close(() => set.close())); // calls that run end first

// #endregion program

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

await once(server, 'listening');
const cart = `http://127.0.0.1:${(server.address() as AddressInfo).port}/cart`;
const headers = { 'content-type': 'application/json' };
const saved = await fetch(cart, { method: 'PUT', headers, body: '{"product":"lamp"}' });
console.log(await saved.text()); // {"cart":"lamp"}
const [mine = ''] = saved.headers.getSetCookie();
console.log(mine.replace(/\.[^.]{43};.*/, '')); // ashlar-session=1~shop=1.1
console.log(await (await fetch(cart, { headers: { cookie: mine.split(';')[0]! } })).text()); // {"cart":"lamp"}
// Somebody else reads on a replica, which lags
console.log(await (await fetch(cart)).text()); // {}
server.close();
await set.close();
