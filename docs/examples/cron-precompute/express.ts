// #region program
import { once } from 'node:events';
import { Precompute } from '@ashlar/cron-precompute';
import { memoryStore } from '@ashlar/store';
import express from 'express';

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
await best.start(); // what was published last is loaded now

const app = express();
app.use((_request, response, next) => {
  if (!server.listening) response.set('connection', 'close'); // a client that keeps it would hold up the shutdown
  next();
});
app.get('/best/:category', (request, response) => {
  const { value, status, version } = best.get(request.params.category);
  if (value === undefined) response.status(404).json({ error: 'no such category' });
  else response.set('etag', `"${version}"`).json({ status, value });
});
app.get('/ready', (_request, response) => {
  // Before the first load there is nothing to serve; old data are better than none
  const { version, isFresh } = best.snapshot();
  response.status(version > 0 ? 200 : 503).json({ version, isFresh });
});
const server = app.listen(0); // your port
const close = async () => {
  server.close();
  await once(server, 'close'); // requests in flight still read
  await best.close(); // a run here goes on elsewhere, from its checkpoint
  await store.close();
};
process.once('SIGTERM', close);

// #endregion program

import type { AddressInfo } from 'node:net';

await once(server, 'listening');
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const read = async (path: string) => {
  const response = await fetch(`${origin}${path}`);
  return `${response.status} ${await response.text()}`;
};
console.log(await read('/ready')); // 503 {"version":0,"isFresh":false}
await best.refresh(); // what the first night does
console.log(await read('/ready')); // 200 {"version":1,"isFresh":true}
console.log(await read('/best/lamps')); // 200 {"status":"fresh","value":["desk lamp","wall lamp"]}
console.log(await read('/best/boats')); // 404 {"error":"no such category"}
await close();
