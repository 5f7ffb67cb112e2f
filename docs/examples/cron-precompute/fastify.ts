// #region program
import { Precompute } from '@ashlar/cron-precompute';
import { memoryStore } from '@ashlar/store';
import Fastify from 'fastify';

const store = memoryStore(); // later: redisStore({ redis }), which all processes share
const best = new Precompute<string, string[]>({
  name: 'best-sellers',
  schedule: '0 3 * * *',
  timeZone: 'Europe/Berlin',
  store,
  source: async function* () {
    yield ['lamps', ['desk lamp', 'wall lamp']]; // a query of yours
  },
});

const app = Fastify();
app.get<{ Params: { category: string } }>('/best/:category', async (request, reply) => {
  const { value, status } = best.get(request.params.category);
  return value === undefined ? reply.code(404).send({ error: 'no such category' }) : { status, value };
});
app.get('/ready', async (_request, reply) => {
  const { version, isFresh } = best.snapshot();
  return reply.code(version > 0 ? 200 : 503).send({ version, isFresh });
});
app.addHook('onReady', () => best.start()); // what was published last is loaded before the first request
app.addHook('onClose', async () => {
  await best.close(); // after the requests in flight; a run here goes on elsewhere
  await store.close();
});
await app.listen({ port: 0 }); // your port
process.once('SIGTERM', () => app.close());

// #endregion program

console.log((await app.inject('/ready')).statusCode); // 503
await best.refresh(); // what the first night does
console.log((await app.inject('/ready')).body); // {"version":1,"isFresh":true}
console.log((await app.inject('/best/lamps')).body); // {"status":"fresh","value":["desk lamp","wall lamp"]}
console.log((await app.inject('/best/boats')).statusCode); // 404
await app.close();
