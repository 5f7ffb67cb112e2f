import type { Socket } from 'node:net';

/**
 * Resets the connection of a socket. Node cannot reset one whose end is on its way: the handle then never closes, nor
 * does the socket, and a process that returns from its main module turns without end. So that end goes out first.
 */
export function reset(socket: Socket): void {
  const endIsOnItsWay = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0;
  if (endIsOnItsWay) socket.once('finish', () => socket.resetAndDestroy());
  else socket.resetAndDestroy();
}
