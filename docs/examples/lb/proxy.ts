// #region program
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LoadBalancer } from '@ashlar/lb';
import { reverseProxy } from '@ashlar/lb/proxy';

// a replica that answers, and one that is down: nothing listens on port 9
const replica = createServer((_request, response) => response.end('hello')).listen(0);
const { port } = replica.address() as AddressInfo;

const lb = new LoadBalancer({
  endpoints: [
    { id: 'replica-1', url: `http://127.0.0.1:${port}` },
    { id: 'replica-2', url: 'http://127.0.0.1:9' },
  ],
});
const proxy = reverseProxy(lb);
const server = createServer(proxy).on('upgrade', proxy.upgrade).listen(0); // your port
process.once('SIGTERM', async () => {
  await proxy.shutdown(server); // serves what is in flight to its end
  await lb.close();
});
// #endregion program

const { port: proxyPort } = server.address() as AddressInfo;
const answers = await Promise.all(
  Array.from({ length: 10 }, async () => (await fetch(`http://127.0.0.1:${proxyPort}/`)).text()),
);
console.log(new Set(answers)); // Set(1) { 'hello' }

await proxy.shutdown(server);
replica.close();
await lb.close();
