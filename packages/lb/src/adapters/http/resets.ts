import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';

/**
 * Fails the socket where libuv would end it: it takes a reset that comes together with the last bytes for an orderly end.
 * Such a socket has no peer any more, while one that was ended still has, unless this side has ended before.
 */
export function seeResets(socket: Socket): void {
  const { push } = socket;
  socket.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk !== null || socket.writableEnded || socket.remoteAddress !== undefined) {
      return push.call(socket, chunk, encoding);
    }
    socket.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' }));
    return false;
  };
}

/** Ends a connection by a reset; one of TLS, where the farewell is then missing, or without a peer, by its end alone. */
export function reset(connection: Duplex): void {
  const { remoteAddress, encrypted } = connection as Partial<TLSSocket>;
  if (remoteAddress === undefined || encrypted === true) connection.destroy();
  else (connection as Socket).resetAndDestroy();
}
