import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A service that charges once for each idempotency key, as those of payments do. */
export class Service implements AsyncDisposable {
  readonly calls: { readonly key: string; readonly n: number }[] = [];
  /** Called before a call is answered. */
  readonly #received: () => void;
  readonly #server = createServer(async (request, response) => {
    const n = Number(await text(request));
    this.calls.push({ key: String(request.headers['idempotency-key']), n });
    this.#received();
    response.end();
  });

  constructor(received: () => void) {
    this.#received = received;
  }

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** What was charged: once for each key. */
  get charged(): number[] {
    const byKey = new Map(this.calls.map(({ key, n }) => [key, n]));
    return [...byKey.values()].sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
