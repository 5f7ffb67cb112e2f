import type { ServerResponse } from 'node:http';
import { headerValue, type RawHeaders, responseHeaders, writeHead } from './headers.ts';

/**
 * The response of one attempt on its way to the client, held back until it is whole or more than may be held: before
 * that nothing has been sent, and it can be dropped for that of another endpoint.
 *
 * Not held are responses that are meant to arrive bit by bit: `text/event-stream`, and those whose server says so with
 * `X-Accel-Buffering: no`, as to nginx.
 */
export class HeldResponse {
  status = 0;
  headers: RawHeaders = [];
  /** From the making of this object to the head of the response. */
  latencyMs = 0;
  /** Whether the client has been sent something. */
  committed = false;
  readonly #response: ServerResponse;
  readonly #limit: number;
  readonly #madeAt = performance.now();
  #message: string | undefined;
  #chunks: Buffer[] = [];
  #size = 0;

  constructor(response: ServerResponse, limit: number) {
    this.#response = response;
    this.#limit = limit;
  }

  start(status: number, message: string | undefined, raw: readonly (Buffer | string)[]): void {
    this.latencyMs = performance.now() - this.#madeAt;
    this.status = status;
    this.#message = message;
    this.headers = responseHeaders(raw);
    if (isLive(this.headers)) this.#commit();
  }

  /** Returns whether more may come at once; if not, after the response's `drain`. */
  write(chunk: Buffer): boolean {
    if (this.committed) return this.#response.write(chunk);
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size > this.#limit) this.#commit();
    return !this.#response.writableNeedDrain;
  }

  /** The response is whole, and it is this one that the client gets. */
  end(): void {
    if (!this.committed) {
      this.#addLength();
      this.#commit();
    }
    this.#response.end();
  }

  #commit(): void {
    const response = this.#response;
    const { req: request } = response;
    // Of a request that is still coming in nobody reads the rest
    if (!request.complete) this.headers.push('connection', 'close');
    writeHead(response, this.status, this.#message, this.headers);
    this.committed = true;
    for (const chunk of this.#chunks) response.write(chunk);
    this.#chunks = [];
  }

  #addLength(): void {
    const bodiless = this.status === 204 || this.status === 304 || this.#response.req.method === 'HEAD';
    if (bodiless || headerValue(this.headers, 'content-length') !== undefined) return;
    this.headers.push('content-length', String(this.#size));
  }
}

function isLive(headers: RawHeaders): boolean {
  const type = headerValue(headers, 'content-type');
  return type?.startsWith('text/event-stream') === true || headerValue(headers, 'x-accel-buffering') === 'no';
}
