import { connect, createServer } from 'node:net';
import { pipeline } from 'node:stream';
import { backendUrls, listen } from './listen.ts';

// The floor of what stands on node:net: the bytes of a connection, to the backends in turns
let next = 0;
const server = createServer({ noDelay: true }, client => {
  const { port, hostname } = new URL(backendUrls[next++ % backendUrls.length]!);
  const backend = connect({ port: Number(port), host: hostname, noDelay: true });
  pipeline(client, backend, client, () => {});
});
listen(server);
