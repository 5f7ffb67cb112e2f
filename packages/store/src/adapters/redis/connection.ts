import type { Client } from './client.ts';

/** The life of one client, from its making to its end. */
export class Connection {
  readonly client: Client;
  /** Resolves with the reason when it is over. */
  readonly over: Promise<unknown>;
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
      this.#lastError = error;
    });
    client.on('close', lost);
    client.on('end', lost);
  }

  /**
   * Connects, and resolves when the server was found fit; rejects when the connection is over before that. A server
   * that accepts and says nothing has `timeoutMs`; Sentinels or nodes that are asked in turn have some more.
   */
  async open(prepare: ((client: Client) => Promise<void>) | undefined, timeoutMs: number): Promise<void> {
    const giveUp = () => this.end(new Error(`there was no answer within ${timeoutMs} ms of connecting`));
    let timer = setTimeout(giveUp, 5 * timeoutMs);
    this.client.on('connect', () => {
      clearTimeout(timer);
      timer = setTimeout(giveUp, timeoutMs);
    });
    const isOver = this.over.then((reason): never => {
      throw reason;
    });
    try {
      await Promise.race([this.client.connect().then(() => prepare?.(this.client)), isOver]);
    } catch (error) {
      // what the promise was rejected with tells less than what the client reported before
      throw this.#lastError ?? error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Repeatable. What is under way fails soon, by itself. */
  end(reason: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#resolveOver(reason);
    this.client.disconnect();
  }
}
