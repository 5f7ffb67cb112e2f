import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

const gone = 'http://127.0.0.1:9'; // the discard port: nobody listens there
const replica = (await import('node:http')).createServer((_request, response) => response.end('hello'));
await once(replica.listen(0, '127.0.0.1'), 'listening');
const sound = `http://127.0.0.1:${(replica.address() as AddressInfo).port}`;

// #region program
import { createServer } from 'node:http';
import { LoadBalancer } from '@ashlar/lb';
import { reverseProxy } from '@ashlar/lb/proxy';

const lb = new LoadBalancer({
  endpoints: [
    { id: 'replica-1', url: sound },
    { id: 'replica-2', url: gone },
  ],
});
const proxy = reverseProxy(lb);
const server = createServer(proxy).listen(0);
// #endregion program

await once(server, 'listening');
const { port } = server.address() as AddressInfo;
const answers = await Promise.all(
  Array.from({ length: 10 }, async () => (await fetch(`http://127.0.0.1:${port}/`)).text()),
);
console.log(new Set(answers)); // Set(1) { 'hello' }

server.close();
replica.close();
await proxy.close();
await lb.close();
