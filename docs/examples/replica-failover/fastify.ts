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
import Fastify from 'fastify';

const { SESSION_SECRET = 'while you develop' } = process.env; // the same in all processes
const cluster = memoryCluster({ lagMs: 60_000, synchronous: 0 }); // later: postgresServers({ servers, newClient })
const set = await ReplicaSet.connect({ name: 'shop', servers: cluster.servers() });
const cookie = new SessionCookie({ secrets: [SESSION_SECRET] });

const app = Fastify();
app.addHook('onRequest', (request, reply, done) => cookie.handle(request.raw, reply.raw, done));
app.put('/cart', async request => {
  const { product } = request.body as { product: string };
  await set.write(db => db.set('cart', product));
  return { cart: await set.read(db => db.get('cart')) }; // what was just written
});
app.get('/cart', async () => ({ cart: await set.read(db => db.get('cart')) }));
app.setErrorHandler((error, _request, reply) => {
  if (error instanceof PositionLostError) {
    currentSession()?.reset(error.set); // the next request begins anew
    return reply.code(409).send({ error: 'What you saved last is lost.' });
  }
  if (error instanceof OutcomeUnknownError) {
    return reply.code(504).send({ error: 'Look whether it was saved before you save it again.' });
  }
  if (error instanceof NoPrimaryError || error instanceof NoServerError) {
    return reply.code(503).header('retry-after', '1').send({ error: 'Nothing was saved. Try again.' });
  }
  throw error;
});
app.addHook('onClose', () => set.close()); // after the requests in flight
await app.listen({ port: 0 }); // your port
process.once('SIGTERM', () => app.close());

// #endregion program

const saved = await app.inject({ method: 'PUT', url: '/cart', payload: { product: 'lamp' } });
console.log(saved.body); // {"cart":"lamp"}
const mine = String(saved.headers['set-cookie']).split(';')[0]!;
console.log((await app.inject({ url: '/cart', headers: { cookie: mine } })).body); // {"cart":"lamp"}
// Somebody else reads on a replica, which lags
console.log((await app.inject('/cart')).body); // {}
await app.close();
