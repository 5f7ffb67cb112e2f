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

const brokenWrites: ReadonlySet<unknown> = new Set(['EPIPE', 'ECONNRESET', 'ECONNABORTED']);

type Written = (error?: Error | null) => void;

/**
 * Reads what has arrived before a write fails. An endpoint that refuses a body answers, as by 413, and closes without reading the
 * rest: that is a reset. What it said waits to be read, and a failed write would drop it with the socket. The end of what there
 * is to read ends the socket in any case.
 */
export function readBeforeBroken(socket: Socket): void {
  const reading = (written: Written): Written => {
    return error => {
      if (brokenWrites.has((error as NodeJS.ErrnoException | null | undefined)?.code)) return;
      written(error);
    };
  };
  const { _write: write, _writev: writeAll } = socket;
  socket._write = (chunk, encoding, written) => write.call(socket, chunk, encoding, reading(written));
  if (writeAll) socket._writev = (chunks, written) => writeAll.call(socket, chunks, reading(written));
}

/** Ends a connection by a reset; one of TLS, where the farewell is then missing, or without a peer, by its end alone. */
export function reset(connection: Duplex): void {
  const { remoteAddress, encrypted } = connection as Partial<TLSSocket>;
  if (remoteAddress === undefined || encrypted === true) connection.destroy();
  else (connection as Socket).resetAndDestroy();
}
