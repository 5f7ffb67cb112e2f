import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A replica on loopback that answers with its status. */
async function replica(status: number): Promise<Server> {
  const server = createServer((_request, response) => response.writeHead(status).end('ok\n'));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}
const servers = [await replica(200), await replica(503)];
const [sound, failing] = servers.map(server => `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
if (sound === undefined || failing === undefined) throw new Error('two replicas were started');

// #region program
import { LoadBalancer } from '@ashlar/lb';

await using lb = new LoadBalancer({
  endpoints: [
    { id: 'replica-1', url: sound },
    { id: 'replica-2', url: failing },
  ],
});

for (let request = 0; request < 20; request++) {
  const response = await lb.run(
    // as it is idempotent, a failed attempt may go to the other replica
    ({ endpoint, signal }) => fetch(endpoint.url, { signal }),
    { idempotent: true, timeoutMs: 2_000 },
  );
  if (!response.ok) throw new Error('the client saw a failure');
}
const [first] = lb.snapshot().endpoints;
console.log(first?.succeeded); // 20
// #endregion program
for (const server of servers) server.close();
