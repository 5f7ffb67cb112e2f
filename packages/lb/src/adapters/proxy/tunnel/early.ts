import type { Duplex } from 'node:stream';

/** How much a client may send before the endpoint has answered; then it has to wait. */
const mostBytes = 65_536;

/** Reads from a client that waits for an answer, as its end would not show otherwise. */
export class EarlyBytes {
  readonly #socket: Duplex;
  readonly #onEnd: () => void;
  readonly #chunks: Buffer[];
  #size = 0;
  readonly #take = (chunk: Buffer): void => {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size >= mostBytes) this.#socket.pause();
  };

  /** @param head what was read before */
  constructor(socket: Duplex, head: Buffer, onEnd: () => void) {
    this.#socket = socket;
    this.#chunks = [head];
    this.#onEnd = onEnd;
    socket.on('data', this.#take).once('end', onEnd);
  }

  /** Stops reading. Returns what the client has sent. */
  stop(): Buffer {
    this.#socket.off('data', this.#take).off('end', this.#onEnd).pause();
    return Buffer.concat(this.#chunks.splice(0));
  }
}
