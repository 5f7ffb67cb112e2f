import { RequestStalledError } from './errors.ts';

/** Tells, unless it is cleared or refreshed in time, that a body does not go on. */
export function stallTimer(idleTimeoutMs: number, onStall: (error: Error) => void): NodeJS.Timeout {
  return setTimeout(() => onStall(new RequestStalledError(idleTimeoutMs)), idleTimeoutMs);
}

/** The chunks of a body that can be read once only, kept while they are few, so that it can be sent more than once. */
export class Replay {
  readonly #limit: number;
  readonly #idleTimeoutMs: number;
  readonly #read: () => Promise<Buffer | undefined>;
  readonly #onError: (error: Error) => void;
  #chunks: Buffer[] = [];
  /** How many chunks were let go from the front, once there were too many to keep. */
  #released = 0;
  #received = 0;
  #ended = false;
  #pulling: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param limit how many bytes are kept
   * @param read the next chunk, `undefined` at the end
   * @param idleTimeoutMs how long a chunk may take to come
   * @param onError reading has failed, or takes too long; told before any reader of the body knows
   */
  constructor(
    limit: number,
    idleTimeoutMs: number,
    read: () => Promise<Buffer | undefined>,
    onError: (error: Error) => void,
  ) {
    this.#limit = limit;
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#read = read;
    this.#onError = onError;
  }

  /** Whether all of it could be sent again. */
  get replayable(): boolean {
    return this.#received <= this.#limit;
  }

  get received(): number {
    return this.#received;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** One more chunk has come, or `undefined`: that was all. */
  add(chunk: Buffer | undefined): void {
    if (this.#ended) return;
    if (chunk === undefined) {
      this.#ended = true;
      return;
    }
    this.#received += chunk.length;
    this.#chunks.push(chunk);
  }

  /** From the beginning; only while it is replayable, or not yet begun. */
  async *open(): AsyncGenerator<Buffer> {
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

  /** All that has come, in one piece. */
  whole(): Buffer | null {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? null;
  }

  /** Nobody will read it again. */
  free(): void {
    this.#chunks = [];
    this.#ended = true;
    clearTimeout(this.#timer);
  }

  #release(upTo: number): void {
    this.#chunks.splice(0, upTo - this.#released);
    this.#released = upTo;
  }

  /** The next chunk; one read at a time, also when the reader before was given up in the middle of it. */
  #pull(): Promise<void> {
    if (this.#pulling === undefined) {
      this.#timer = stallTimer(this.#idleTimeoutMs, this.#onError);
      this.#pulling = this.#read()
        .then(
          chunk => this.add(chunk),
          error => {
            this.#onError(error);
            throw error;
          },
        )
        .finally(() => {
          clearTimeout(this.#timer);
          this.#pulling = undefined;
        });
      // Its reader may have been given up; `onError` has been told
      this.#pulling.catch(() => {});
    }
    return this.#pulling;
  }
}

/** What may be sent again whatever became of it (RFC 9110, 9.2.2). */
export const idempotentMethods: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PUT',
  'DELETE',
]);

/** With these an endpoint says that it cannot serve at the moment; another may. */
export const unavailable: ReadonlySet<number> = new Set([502, 503, 504]);
