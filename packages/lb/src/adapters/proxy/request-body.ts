import type { IncomingMessage } from 'node:http';
import type { Cancellation } from '../../cancellation.ts';
import { RequestStalledError } from './errors.ts';

/** The body of a request that has one, read once from the client, and kept while it is small to be sent more than once. */
export class RequestBody {
  readonly #request: IncomingMessage;
  readonly #limit: number;
  readonly #idleTimeoutMs: number;
  readonly #onError: (error: unknown) => void;
  /** Of a body that is not gathered. */
  #source: AsyncIterator<Buffer> | undefined;
  readonly #chunks: Buffer[] = [];
  /** How many chunks were let go from the front, once there were too many to keep. */
  #released = 0;
  #received = 0;
  #ended = false;
  #pulling: Promise<void> | undefined;
  /** While a body is gathered. */
  #take: ((chunk: Buffer) => void) | undefined;

  /** @param onError the client went away or stalled; told before any reader of the body knows */
  constructor(
    request: IncomingMessage,
    limit: number,
    idleTimeoutMs: number,
    onError: (error: unknown) => void,
  ) {
    this.#request = request;
    this.#limit = limit;
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#onError = onError;
  }

  /** Whether all of it could be sent again. */
  get replayable(): boolean {
    return this.#received <= this.#limit;
  }

  /**
   * Reads all of a body that says it is small, so that a slow client does not keep an endpoint waiting; `undefined` when
   * it is streamed. Rejects when the request is given up.
   */
  gather(given: Cancellation): Promise<void> | undefined {
    const request = this.#request;
    const length = Number(request.headers['content-length'] ?? Infinity);
    if (!(length <= this.#limit)) return undefined;
    return new Promise((resolve, reject) => {
      const timer = this.#stallTimer();
      given.onAbort(reason => {
        clearTimeout(timer);
        reject(reason);
      });
      this.#take = chunk => {
        timer.refresh();
        this.#received += chunk.length;
        this.#chunks.push(chunk);
        if (this.#received < length) return;
        clearTimeout(timer);
        this.#ended = true;
        this.#stopTaking();
        resolve();
      };
      request.on('data', this.#take).on('error', this.#onError);
    });
  }

  /** The body from its beginning; only while it is replayable, or not yet begun. */
  open(): Buffer | AsyncIterable<Buffer> | null {
    if (!this.#ended) return this.#stream();
    if (this.#chunks.length < 2) return this.#chunks[0] ?? null;
    const whole = Buffer.concat(this.#chunks);
    this.#chunks.splice(0, this.#chunks.length, whole);
    return whole;
  }

  /** Nobody will ask for it again: the request, which may stay in memory for long, lets go of it. */
  free(): void {
    this.#chunks.length = 0;
    this.#stopTaking();
  }

  #stopTaking(): void {
    if (this.#take === undefined) return;
    this.#request.off('data', this.#take).off('error', this.#onError);
    this.#take = undefined;
  }

  async *#stream(): AsyncGenerator<Buffer> {
    for (let next = 0; ; ) {
      for (; next - this.#released < this.#chunks.length; next++) {
        const chunk = this.#chunks[next - this.#released]!;
        if (!this.replayable) this.#release(next + 1);
        yield chunk;
      }
      if (this.#ended) return;
      await this.#pull();
    }
  }

  #release(upTo: number): void {
    this.#chunks.splice(0, upTo - this.#released);
    this.#released = upTo;
  }

  /** The next chunk; one read at a time, also when the reader before was given up in the middle of it. */
  #pull(): Promise<void> {
    if (this.#pulling === undefined) {
      this.#pulling = this.#read().finally(() => {
        this.#pulling = undefined;
      });
      // Its reader may have been given up; `onError` has been told
      this.#pulling.catch(() => {});
    }
    return this.#pulling;
  }

  async #read(): Promise<void> {
    const timer = this.#stallTimer();
    this.#source ??= this.#request.iterator({ destroyOnReturn: false });
    try {
      const { done, value } = await this.#source.next();
      if (done) {
        this.#ended = true;
        return;
      }
      this.#received += value.length;
      this.#chunks.push(value);
    } catch (error) {
      this.#onError(error);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #stallTimer(): NodeJS.Timeout {
    const stalled = () => this.#onError(new RequestStalledError(this.#idleTimeoutMs));
    return setTimeout(stalled, this.#idleTimeoutMs);
  }
}
