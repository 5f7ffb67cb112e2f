import { RequestStalledError } from './errors.ts';
import { TimeLimit } from './limits/time-limit.ts';

/** Calls `onStall` with a RequestStalledError unless it is stopped or restarted in time. */
export function stallLimit(idleTimeoutMs: number, onStall: (error: Error) => void): TimeLimit<void> {
  const limit = new TimeLimit<void>(undefined, () => onStall(new RequestStalledError(idleTimeoutMs)));
  limit.start(idleTimeoutMs);
  return limit;
}

/** Buffers the chunks of a body that can be read only once, up to a limit, so that it can be sent more than once. */
export class Replay {
  readonly #limit: number;
  readonly #idleTimeoutMs: number;
  readonly #read: () => Promise<Buffer | undefined>;
  readonly #onError: (error: Error) => void;
  #chunks: Buffer[] = [];
  /** How many chunks were dropped from the front, after the limit was passed. */
  #released = 0;
  #received = 0;
  #ended = false;
  #pulling: Promise<void> | undefined;
  #stall: TimeLimit<void> | undefined;

  /**
   * @param limit how many bytes are buffered
   * @param read returns the next chunk, `undefined` at the end
   * @param idleTimeoutMs the longest time to wait for a chunk, in milliseconds
   * @param onError is called when reading fails or stalls, before any reader of the body rejects
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

  /** Whether the whole body can be sent again. */
  get replayable(): boolean {
    return this.#received <= this.#limit;
  }

  get received(): number {
    return this.#received;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Whether the source has to give the next chunk. */
  get isAwaited(): boolean {
    return this.#pulling !== undefined;
  }

  /** Appends a chunk; `undefined` ends the body. */
  add(chunk: Buffer | undefined): void {
    if (this.#ended) return;
    if (chunk === undefined) {
      this.#ended = true;
      return;
    }
    this.#received += chunk.length;
    this.#chunks.push(chunk);
  }

  /** The body from its beginning. Only while it is replayable or unread. */
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

  /** Everything received so far, in one piece. */
  whole(): Buffer | null {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? null;
  }

  /** Drops the chunks and ends the body; for when no attempt will read it again. */
  free(): void {
    this.#chunks = [];
    this.#ended = true;
    this.#stall?.stop();
  }

  #release(upTo: number): void {
    this.#chunks.splice(0, upTo - this.#released);
    this.#released = upTo;
  }

  /** Reads the next chunk. One read at a time, also when the previous reader was abandoned in the middle of one. */
  #pull(): Promise<void> {
    if (this.#pulling === undefined) {
      this.#stall = stallLimit(this.#idleTimeoutMs, this.#onError);
      this.#pulling = this.#read()
        .then(
          chunk => this.add(chunk),
          error => {
            this.#onError(error);
            throw error;
          },
        )
        .finally(() => {
          this.#stall?.stop();
          this.#pulling = undefined;
        });
      // The reader may be gone; `onError` has the error
      this.#pulling.catch(() => {});
    }
    return this.#pulling;
  }
}

/** Methods that may be repeated after any failure (RFC 9110, 9.2.2). */
export const idempotentMethods: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PUT',
  'DELETE',
]);

/** Statuses by which an endpoint is temporarily unable to serve; another endpoint may be able. */
const unavailable: ReadonlySet<number> = new Set([502, 503, 504]);

/** Whether another endpoint may answer better: also one that does not limit this client. */
export function mayAnswerElsewhere(status: number, retryAfterMs: number | undefined): boolean {
  return unavailable.has(status) || (status === 429 && retryAfterMs !== undefined);
}
