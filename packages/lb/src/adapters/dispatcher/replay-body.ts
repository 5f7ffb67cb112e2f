import type { Readable } from 'node:stream';

/** A body as a dispatcher is given it: undici takes more kinds than its types say. */
export type Body = string | object | null | undefined;

/** What can be sent as often as one likes. */
function isWhole(body: string | object): body is string {
  if (typeof body === 'string' || ArrayBuffer.isView(body) || body instanceof ArrayBuffer) return true;
  const kind = (body as { readonly [Symbol.toStringTag]?: string })[Symbol.toStringTag];
  if (kind === 'Blob' || kind === 'File' || kind === 'FormData') return true;
  return !(Symbol.asyncIterator in body) && !(Symbol.iterator in body);
}

/** The body of a request; one that can be read once only is kept while it is small, to be sent more than once. */
export class ReplayBody {
  readonly #body: Body;
  readonly #source: AsyncIterator<unknown> | Iterator<unknown> | undefined;
  readonly #limit: number;
  readonly #onError: (error: Error) => void;
  #chunks: Buffer[] = [];
  /** How many chunks were let go from the front, once there were too many to keep. */
  #released = 0;
  #received = 0;
  #ended = false;
  #pulling: Promise<void> | undefined;

  /** @param onError what the body comes from has failed; told before any reader of the body knows */
  constructor(body: Body, limit: number, onError: (error: Error) => void) {
    this.#body = body;
    this.#limit = limit;
    this.#onError = onError;
    if (body !== null && body !== undefined && !isWhole(body)) this.#source = iteratorOf(body);
  }

  /** Whether all of it could be sent again. */
  get replayable(): boolean {
    return this.#received <= this.#limit;
  }

  /** The body from its beginning; only while it is replayable, or not yet begun. */
  open(): Body {
    return this.#source === undefined ? this.#body : this.#stream();
  }

  /** Lets go of what the body comes from, which may not have been read to its end. */
  end(): void {
    this.#chunks = [];
    if (this.#source === undefined || this.#ended) return;
    this.#ended = true;
    const stream = this.#body as Partial<Readable>;
    if (typeof stream.destroy === 'function') stream.destroy();
    else void (async () => this.#source?.return?.())().catch(() => {});
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
    try {
      const { done, value } = await this.#source!.next();
      if (done === true) {
        this.#ended = true;
        return;
      }
      const chunk = typeof value === 'string' ? Buffer.from(value) : (value as Buffer);
      this.#received += chunk.length;
      this.#chunks.push(chunk);
    } catch (error) {
      this.#onError(error as Error);
      throw error;
    }
  }
}

function iteratorOf(body: object): AsyncIterator<unknown> | Iterator<unknown> {
  if (Symbol.asyncIterator in body) return (body as AsyncIterable<unknown>)[Symbol.asyncIterator]();
  return (body as Iterable<unknown>)[Symbol.iterator]();
}
