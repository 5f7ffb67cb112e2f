import type { Socket } from 'node:net';

/**
 * Fails the socket where libuv would end it: it takes a reset that comes together with the last bytes for an orderly end.
 * Such a socket has no peer any more, while one that was ended still has.
 */
export function seeResets(socket: Socket): void {
  const { push } = socket;
  socket.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk !== null || socket.remoteAddress !== undefined) return push.call(socket, chunk, encoding);
    socket.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' }));
    return false;
  };
}
