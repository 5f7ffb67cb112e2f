// #region program
import { once } from 'node:events';
import { createServer } from 'node:http';
import { memoryDriver, messages, Queue } from '@ashlar/queue';

const mails: string[] = [];
const queue = new Queue(memoryDriver(), { messages: messages<{ mail: { to: string } }>() });
await queue.subscribe('mail', async ({ to }) => {
  mails.push(to);
});

const server = createServer(async (_request, response) => {
  await queue.publish('mail', { to: 'ada' });
  response.end('queued');
}).listen(0); // your port

async function shutDown() {
  // Clients keep their connections: each ends with its next response, or when it is idle
  server.prependListener('request', (_request, response) => response.setHeader('connection', 'close'));
  const idle = setInterval(() => server.closeIdleConnections(), 100);
  const late = setTimeout(() => server.closeAllConnections(), 10_000); // less than you have
  server.close();
  await once(server, 'close');
  clearInterval(idle);
  clearTimeout(late);
  await queue.close({ timeoutMs: 8_000 });
}
process.once('SIGTERM', shutDown);

// #endregion program

import { Agent, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

// A client that never stops asking on the connection that it has
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
let answered = 0;
async function ask() {
  for (;;) {
    const [response] = (await once(get({ port, agent }), 'response')) as [IncomingMessage];
    await once(response.resume(), 'end');
    answered++;
  }
}
const refused = ask().catch(() => 'refused');
while (answered < 3) await new Promise(setImmediate);
await shutDown();
console.log(await refused); // refused
