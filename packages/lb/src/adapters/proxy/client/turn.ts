import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Cancellation } from '../../../util/cancellation.ts';

/** How many requests of a connection may wait before no more are read. One piece that was read may hold more. */
const mostWaiting = 16;

/**
 * The turn of a pipelined request: when the responses to all earlier ones are sent. `undefined` when it is its turn
 * already. Resolves also when the connection is closed, or the request is given up.
 */
export function turnOf(
  { socket }: IncomingMessage,
  response: ServerResponse,
  cancellation: Cancellation,
): Promise<void> | undefined {
  // Node gives the socket to one response at a time, in turn
  if (response.socket !== null || socket.destroyed) return undefined;
  const line = lines.get(socket) ?? new Line(socket);
  return line.wait(response, cancellation);
}

const lines = new WeakMap<Socket, Line>();

/** The requests of one connection that wait. */
class Line {
  readonly #socket: Socket;
  readonly #waiting = new Set<() => void>();
  /** Node reads on after each response. */
  readonly #hold = (): void => {
    if (this.#waiting.size >= mostWaiting) this.#socket.pause();
  };
  readonly #end = (): void => {
    for (const resolve of this.#waiting) resolve();
  };

  constructor(socket: Socket) {
    this.#socket = socket;
    lines.set(socket, this);
    socket.on('resume', this.#hold).on('close', this.#end);
  }

  async wait(response: ServerResponse, cancellation: Cancellation): Promise<void> {
    let turn: () => void = () => {};
    const waited = new Promise<void>(resolve => {
      turn = resolve;
    });
    this.#waiting.add(turn);
    response.once('socket', turn);
    cancellation.onAbort(turn);
    this.#hold();
    await waited;
    response.off('socket', turn);
    this.#leave(turn);
  }

  #leave(turn: () => void): void {
    this.#waiting.delete(turn);
    if (this.#waiting.size === mostWaiting - 1) this.#socket.resume();
    if (this.#waiting.size > 0) return;
    lines.delete(this.#socket);
    this.#socket.off('resume', this.#hold).off('close', this.#end);
  }
}
