import { withoutCredentials } from '@ashlar/core';
import type { Client } from './client.ts';
import { type Identity, supersede } from './identity.ts';

/** A timer of Node fires at once when its time is longer than this. */
const longestTimerMs = 2 ** 31 - 1;

/** The life of one client, from its first connection to its end. */
export class Connection {
  readonly client: Client;
  /** Resolves with the reason when the connection has ended. */
  readonly over: Promise<unknown>;
  /** When the server was last found fit, by `performance.now()`. */
  checkedAt = 0;
  /** How its server lists it, once it is open, where that is known. */
  identity: Identity | undefined;
  #resolveOver: (reason: unknown) => void = () => {};
  #lastError: unknown;
  #isOver = false;

  constructor(client: Client) {
    this.client = client;
    this.over = new Promise(resolve => {
      this.#resolveOver = resolve;
    });
    const lost = () => this.end(this.#lastError ?? new Error('the connection was closed'));
    client.on('error', error => {
      this.#lastError = withoutCredentials(error);
      this.#silence();
    });
    client.on('close', lost);
    client.on('end', lost);
  }

  /**
   * Connects, ends the connection before, and resolves when `prepare` has found the server fit; rejects when the connection
   * ends before that. A server that accepts and is silent has `timeoutMs`; Sentinels or nodes that are tried in turn have five times that.
   */
  async open(
    prepare: ((client: Client) => Promise<void>) | undefined,
    timeoutMs: number,
    lost: Identity | undefined,
  ): Promise<void> {
    const giveUp = () => this.end(new Error(`there was no answer within ${timeoutMs} ms of connecting`));
    let timer = setTimeout(giveUp, Math.min(5 * timeoutMs, longestTimerMs));
    this.client.on('connect', () => {
      clearTimeout(timer);
      timer = setTimeout(giveUp, Math.min(timeoutMs, longestTimerMs));
    });
    const isOver = this.over.then((reason): never => {
      throw reason;
    });
    try {
      const fit = this.client.connect().then(async () => {
        // In one round trip
        [this.identity] = await Promise.all([supersede(this.client, lost), prepare?.(this.client)]);
      });
      await Promise.race([fit, isOver]);
      this.checkedAt = performance.now();
    } catch (error) {
      // The client reports more in its events than in the promise that it rejects
      throw this.#lastError ?? error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** May be called again. Calls in flight fail soon, by themselves. */
  end(reason: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#resolveOver(reason);
    this.#silence();
    this.client.disconnect();
  }

  /** ioredis listens to one error of its socket: one more, as of TLS that is ended in mid-handshake, would end the process. */
  #silence(): void {
    this.client.stream?.on('error', () => {});
  }
}
