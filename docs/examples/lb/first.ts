// #region program
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LoadBalancer } from '@ashlar/lb';

// two replicas; the second one fails every request
const healthy = createServer((_request, response) => response.end('hello')).listen(0);
const failing = createServer((_request, response) => response.writeHead(503).end()).listen(0);
const urlOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const lb = new LoadBalancer({
  endpoints: [
    { id: 'replica-1', url: urlOf(healthy) },
    { id: 'replica-2', url: urlOf(failing) },
  ],
});

for (let request = 0; request < 20; request++) {
  const response = await lb.run(({ endpoint, signal }) => fetch(endpoint.url, { signal }), {
    idempotent: true, // a failed attempt may be retried on the other replica
    timeoutMs: 2_000,
  });
  if (!response.ok) throw new Error('the client saw a failure');
}
console.log(lb.snapshot().endpoints[0]?.succeeded); // 20
await lb.close();
for (const server of [healthy, failing]) server.close();
// #endregion program
