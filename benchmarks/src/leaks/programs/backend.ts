import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { listen } from '../../proxy/programs/listen.ts';

const small = Buffer.alloc(1_024, 'x');
const large = Buffer.alloc(1_000_000, 'x');

/** How it answers is for the path to say. */
const answers: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>> = {
  '/ok': (request, response) => {
    request.resume().on('end', () => response.end(small));
  },
  '/large': (_, response) => response.end(large),
  '/truncated': (_, response) => {
    response.writeHead(200, { 'content-length': 2_000 });
    response.write('x', () => response.destroy());
  },
  '/long-head': (_, response) => response.writeHead(200, { 'x-long': 'x'.repeat(20_000) }).end(),
  '/reset': request => request.socket.resetAndDestroy(),
  '/silent': () => {},
  '/stalls': (_, response) => response.writeHead(200, { 'content-length': 2_000 }).write('x'),
};

const server = createServer((request, response) => {
  request.on('error', () => {});
  answers[request.url!]!(request, response);
});
server.on('upgrade', (_, socket) => {
  socket.on('error', () => {});
  socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
  socket.on('data', data => socket.end(data));
});
listen(server);
