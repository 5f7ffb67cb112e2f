import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { endWith } from './relay.ts';

let parses: Promise<boolean> | undefined;

/**
 * Whether the server parses the body of a request to upgrade, as from Node 26 on: the body is then read from the request,
 * and what is read from the connection begins behind it. An older one leaves the body on the connection.
 */
export function parsesBodies(): Promise<boolean> {
  parses ??= new Promise(resolve => {
    const server = createServer().on('upgrade', (_request, socket, head: Buffer) => {
      resolve(head.length === 0);
      socket.destroy();
      server.close();
    });
    const connection = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    connection.push(
      'PUT / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: a\r\nContent-Length: 1\r\n\r\na',
    );
    server.emit('connection', connection);
  });
  return parses;
}

/**
 * Gives a request whose body is parsed to its server as an ordinary one. The connection ends with the response: its parser is gone
 * or goes with the body, and what follows that is not read. Returns false when the server is not known.
 */
export function serve(request: IncomingMessage, endMs: number): boolean {
  const socket = request.socket as Socket & { readonly server?: Server };
  const { server } = socket;
  if (server === undefined) return false;
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  // Node does these as long as it has a parser there
  socket
    .on('error', () => {})
    .on('drain', () => response.emit('drain'))
    .once('end', () => socket.end());
  response.once('finish', () => endWith(socket, '', endMs));
  if (request.complete) socket.resume(); // else its end would not show
  const waits = /^100-continue$/i.test(request.headers.expect ?? '');
  if (waits && server.listenerCount('checkContinue') > 0) {
    server.emit('checkContinue', request, response);
    return true;
  }
  if (waits) response.writeContinue();
  server.emit('request', request, response);
  return true;
}
