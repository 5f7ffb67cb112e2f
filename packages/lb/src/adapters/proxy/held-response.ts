import type { ServerResponse } from 'node:http';
import type { RawHeaders } from './headers.ts';
import { isBodiless, type ResponseHead, responseHead, writeHead } from './response-head.ts';

/**
 * The response of one attempt on its way to the client. While another endpoint may still replace it, it is held back until
 * it is complete or longer than the limit. A live response, and one that none can replace, is sent as it arrives.
 */
export class HeldResponse {
  status = 0;
  /** Milliseconds from the construction of this object to the head of the response. */
  latencyMs = 0;
  /** Whether the client has received a part of it. */
  committed = false;
  readonly #response: ServerResponse;
  readonly #limit: number;
  readonly #mayBeReplaced: () => boolean;
  readonly #onBegun: (status: number) => void;
  readonly #rewrite: (status: number, headers: RawHeaders) => boolean;
  readonly #madeAt = performance.now();
  #message: string | undefined;
  #head: ResponseHead = none;
  /** Emptied after use, as this object may stay in memory for long: see `Fulfilled` in `requests/execution.ts`. */
  readonly #chunks: Buffer[] = [];
  #size = 0;
  #complete = false;

  /**
   * @param mayBeReplaced whether another endpoint may answer in its place
   * @param onBegun is called when the client receives the first part of a response that is not complete
   * @param rewrite changes the headers for the client; returns false when there is to be no response
   */
  constructor(
    response: ServerResponse,
    limit: number,
    mayBeReplaced: () => boolean,
    onBegun: (status: number) => void,
    rewrite: (status: number, headers: RawHeaders) => boolean,
  ) {
    this.#response = response;
    this.#limit = limit;
    this.#mayBeReplaced = mayBeReplaced;
    this.#onBegun = onBegun;
    this.#rewrite = rewrite;
  }

  get headers(): RawHeaders {
    return this.#head.headers;
  }

  /** Returns false when the response cannot be sent on. */
  start(status: number, message: string | undefined, raw: readonly (Buffer | string)[]): boolean {
    this.latencyMs = performance.now() - this.#madeAt;
    this.status = status;
    this.#message = message;
    this.#head = responseHead(status, raw);
    if (this.#head.coded && !this.#isBodiless()) return false;
    if (!this.#rewrite(status, this.#head.headers)) return false;
    const held = this.#limit > 0 && !this.#head.live && this.#mayBeReplaced();
    // After the chunks that came with the head, so that all is one write
    if (!held) queueMicrotask(() => this.#sendHead());
    return true;
  }

  /** Returns false when the next chunk should wait for `onDrain`. */
  write(chunk: Buffer): boolean {
    if (this.committed) return this.#response.write(chunk);
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size > this.#limit) this.#commit();
    return !this.#response.writableNeedDrain;
  }

  onDrain(listener: () => void): void {
    this.#response.once('drain', listener);
  }

  /** All of it has arrived. */
  complete(): void {
    this.#complete = true;
  }

  /** Sends the complete response to the client. */
  end(): void {
    if (this.committed) return void this.#response.end();
    if (!this.#isBodiless() && !this.#head.hasLength) this.headers.push('content-length', String(this.#size));
    this.#writeHead();
    if (this.#size > longestText) {
      this.#flush();
      this.#response.end();
    } else if (this.#size > 0) {
      const body = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
      this.#response.end(body.toString('latin1'), 'latin1');
    } else {
      this.#response.end();
    }
    this.#chunks.length = 0;
  }

  #isBodiless(): boolean {
    return isBodiless(this.status, this.#response.req.method);
  }

  #sendHead(): void {
    if (this.committed || this.#complete || this.#response.destroyed || this.#response.headersSent) return;
    this.#commit();
    // Unlike flushHeaders, which writes Latin-1 as UTF-8; where there is no body it does nothing, and `end` follows
    if (this.#size === 0) this.#response.write('', 'latin1');
  }

  #commit(): void {
    this.#writeHead();
    this.#flush();
    this.#onBegun(this.status);
  }

  #flush(): void {
    for (const chunk of this.#chunks) this.#response.write(chunk);
    this.#chunks.length = 0;
  }

  #writeHead(): void {
    const response = this.#response;
    // The rest of an unfinished request body is not read
    if (!response.req.complete) this.headers.push('connection', 'close');
    writeHead(response, this.status, this.#message, this.headers);
    this.committed = true;
  }
}

const none: ResponseHead = { headers: [], hasLength: false, live: false, coded: false };

/** A body up to this size is written as latin1 text, which Node joins with the head into one write. */
const longestText = 16_384;
