import type { IncomingMessage } from 'node:http';
import { RequestStalledError } from './errors.ts';
import { hasBody } from './target.ts';

/** The body of a request, read once from the client, and kept while it is small to be sent more than once. */
export class RequestBody {
  readonly #request: IncomingMessage;
  readonly #limit: number;
  readonly #idleTimeoutMs: number;
  readonly #onError: (error: unknown) => void;
  readonly #source: AsyncIterator<Buffer>;
  #chunks: Buffer[] = [];
  /** How many chunks were let go from the front, once there were too many to keep. */
  #released = 0;
  #received = 0;
  #ended: boolean;
  #pulling: Promise<void> | undefined;

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
    this.#ended = !hasBody(request);
    this.#source = request.iterator({ destroyOnReturn: false });
  }

  /** Whether all of it could be sent again. */
  get replayable(): boolean {
    return this.#received <= this.#limit;
  }

  /** Reads all of a body that says it is small, so that a slow client does not keep an endpoint waiting. */
  async gather(): Promise<void> {
    const length = Number(this.#request.headers['content-length'] ?? Infinity);
    while (!this.#ended && length <= this.#limit) await this.#pull();
  }

  /** The body from its beginning; only while it is replayable, or not yet begun. */
  open(): Buffer | AsyncIterable<Buffer> | null {
    if (!this.#ended) return this.#stream();
    return this.#chunks.length === 0 ? null : Buffer.concat(this.#chunks);
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
    const stalled = () => this.#onError(new RequestStalledError(this.#idleTimeoutMs));
    const timer = setTimeout(stalled, this.#idleTimeoutMs);
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
}
