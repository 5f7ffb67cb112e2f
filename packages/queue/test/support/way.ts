import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { onAbort } from '@ashlar/core';

/** A way from clients to a server that counts and keeps what passes. What clients say can be held back, or end at any byte. */
export class Way implements AsyncDisposable {
  /** Where it listens on 127.0.0.1. */
  readonly port: number;
  /** Bytes that have passed to the server. */
  said = 0;
  /** `said` after each piece that has passed. */
  readonly pieces: number[] = [];
  /** What the server has said, as text, since the caller has last emptied it. */
  heard = '';
  readonly #target: number;
  readonly #listener: Server;
  readonly #clients = new Set<Socket>();
  readonly #servers = new Set<Socket>();
  readonly #death = new AbortController();
  #endsAt = Number.POSITIVE_INFINITY;
  #isMuted = false;

  private constructor(target: number, listener: Server) {
    this.#target = target;
    this.#listener = listener;
    this.port = (listener.address() as AddressInfo).port;
    listener.on('connection', client => this.#join(client));
  }

  static async to(target: number): Promise<Way> {
    const listener = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return new Way(target, listener);
  }

  /** From now on the server hears nothing of what is said, and its answers pass. Nothing is lost. */
  mute(): void {
    this.#isMuted = true;
    for (const client of this.#clients) client.pause();
  }

  unmute(): void {
    this.#isMuted = false;
    for (const client of this.#clients) client.resume();
  }

  /** So many bytes more, of all connections together, and then it is as after `die`. */
  dieAfter(bytes: number): void {
    this.#endsAt = this.said + bytes;
    if (bytes === 0) this.#death.abort();
  }

  get isDead(): boolean {
    return this.#death.signal.aborted;
  }

  /**
   * As when the process of the clients is killed: the server hears what was said and then the end, and no client comes again.
   * Resolves when the server has ended its side of all connections too.
   */
  async die(): Promise<void> {
    this.#death.abort();
    this.#listener.close();
    // One that is reset fails first, and is closed then
    const closed = (server: Socket) => new Promise(resolve => server.once('close', resolve));
    await Promise.all([...this.#servers].map(closed));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.die();
  }

  #join(client: Socket): void {
    if (this.isDead) {
      client.destroy();
      return;
    }
    const server = connect({ port: this.#target, host: '127.0.0.1', allowHalfOpen: true });
    this.#clients.add(client);
    this.#servers.add(server);
    const unlink = onAbort(this.#death.signal, () => {
      client.destroy();
      server.end();
      server.resume();
    });
    client.setNoDelay(true);
    server.setNoDelay(true);
    if (this.#isMuted) client.pause();
    client.on('data', piece => this.#say(piece, server));
    client.on('end', () => server.end());
    client.on('error', () => {});
    client.on('close', () => {
      this.#clients.delete(client);
      server.end();
    });
    server.on('data', piece => {
      if (this.isDead) return;
      this.heard += piece.toString('latin1');
      client.write(piece);
    });
    server.on('error', () => {});
    server.on('end', () => server.end());
    server.on('close', () => {
      unlink?.();
      this.#servers.delete(server);
      client.destroy();
    });
  }

  #say(piece: Buffer, server: Socket): void {
    if (this.isDead) return;
    const passing = piece.subarray(0, this.#endsAt - this.said);
    server.write(passing);
    this.said += passing.length;
    this.pieces.push(this.said);
    if (this.said >= this.#endsAt) this.#death.abort();
  }
}
