// A replica as a process of its own. It tells its port; a message sets who it is and how it answers from now on.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

let id = '';
let mode = 'ok';

const modes = {
  ok: answer,
  /** Says that it is in the middle, and stays there. */
  half(_, response) {
    response.writeHead(200, { 'content-length': 2_000 });
    response.write('x'.repeat(1_000), () => process.send({ event: 'half' }));
  },
  halfInChunks: (_, response) => response.write('x'.repeat(1_000), () => process.send({ event: 'half' })),
  truncated(_, response) {
    response.writeHead(200, { 'content-length': 2_000 });
    response.write('x'.repeat(1_000), () => response.destroy());
  },
  truncatedChunks(_, response) {
    response.write('x'.repeat(1_000), () => response.destroy());
  },
  reset: request => request.socket.resetAndDestroy(),
  silent: () => process.send({ event: 'silent' }),
  stalled(_, response) {
    response.writeHead(200, { 'content-length': 2_000 });
    response.write('x');
  },
  longHead: (_, response) => response.writeHead(200, { 'x-long': 'x'.repeat(20_000) }).end('ok'),
  garbage: request => request.socket.end('nonsense\r\n\r\n'),
  unavailable: (_, response) => response.writeHead(503, { 'retry-after': '3', 'x-replica': id }).end('later'),
  broken: (_, response) => response.writeHead(500, { 'x-replica': id }).end('broken'),
};

const paths = {
  bytes: (_, response, size) =>
    response.setHeader('content-length', size).end(Buffer.alloc(Number(size), id)),
  /** In pieces, so that it is sent as chunks without a length. */
  chunks(_, response, size) {
    for (let left = Number(size); left > 0; left -= 1_000)
      response.write(Buffer.alloc(Math.min(left, 1_000), id));
    response.end();
  },
  events(_, response) {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`data: ${id}\n\n`);
    process.once('message', () => response.end('data: over\n\n'));
  },
  status: (_, response, status) => response.writeHead(Number(status), { etag: '"1"' }).end(),
  headers(_, response) {
    response.setHeader('connection', 'X-Private, close');
    response.setHeader('set-cookie', ['a=1', 'b=2']);
    response.writeHead(200, 'Fine', {
      'x-private': 1,
      trailer: 'x-end',
      'x-latin': 'caf\xe9',
      'x-kept': 'yes',
      vary: 'Accept',
      link: '</b.css>',
      'server-timing': 'app;dur=2',
    });
    response.end('ok');
  },
  /** Answers before it has read the body. */
  early: (_, response) => response.writeHead(413).end('too much'),
  hints(_, response) {
    response.writeEarlyHints({ link: '</a.css>; rel=preload' }, () => response.end('after hints'));
  },
};

function answer(request, response) {
  const [, name, argument] = request.url.split(/[/?]/);
  response.setHeader('x-replica', id);
  if (Object.hasOwn(paths, name)) return paths[name](request, response, argument);
  const hash = createHash('sha256');
  let bytes = 0;
  request.on('data', chunk => {
    bytes += chunk.length;
    hash.update(chunk);
  });
  request.on('end', () => {
    const { method, url, headers } = request;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ id, method, url, headers, bytes, hash: hash.digest('hex') }));
  });
}

const server = createServer((request, response) => {
  request.on('error', () => {});
  response.on('close', () => process.send({ event: 'closed' }));
  modes[mode](request, response);
});
server.on('upgrade', (request, socket, head) => {
  socket.on('error', () => {});
  if (mode === 'unavailable')
    return socket.end('HTTP/1.1 503 Service Unavailable\r\ncontent-length: 5\r\n\r\nlater');
  if (mode === 'reset') return socket.resetAndDestroy();
  if (mode === 'silent') return process.send({ event: 'silent' });
  const { url, headers } = request;
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\nx-replica: ${id}\r\n\r\n`,
  );
  socket.write(JSON.stringify({ url, headers }));
  socket.write(head);
  socket.on('data', chunk => (String(chunk) === 'bye' ? socket.end('bye') : socket.write(chunk)));
  socket.on('end', () => socket.end());
  socket.on('close', () => process.send({ event: 'tunnelClosed' }));
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => process.send({ event: 'listening', port: server.address().port }));
process.on('message', message => {
  mode = message.mode ?? mode;
  id = message.id ?? id;
  server.getConnections((_, connections) => process.send({ event: 'mode', connections }));
});
process.on('disconnect', () => process.exit());
