import type { IncomingMessage } from 'node:http';
import type { Cancellation } from '../../util/cancellation.ts';
import { Replay, stallLimit } from '../http/replay.ts';

/** The body of a request, read once from the client and buffered up to a limit, so that it can be sent again. */
export class RequestBody {
  readonly #request: IncomingMessage;
  readonly #limit: number;
  readonly #idleTimeoutMs: number;
  readonly #onError: (error: unknown) => void;
  /** For a body that is streamed. */
  #source: AsyncIterator<Buffer> | undefined;
  readonly #replay: Replay;
  /** The `data` listener while a body is gathered. */
  #take: ((chunk: Buffer) => void) | undefined;

  /** @param onError is called when the client disconnects or stalls, before any reader of the body rejects */
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
    this.#replay = new Replay(limit, idleTimeoutMs, () => this.#read(), onError);
  }

  /** Whether the whole body can be sent again. */
  get replayable(): boolean {
    return this.#replay.replayable;
  }

  get isAwaited(): boolean {
    return this.#replay.isAwaited;
  }

  /**
   * Reads the whole of a body with a small `Content-Length` first, so that a slow client does not occupy an endpoint.
   * Returns `undefined` for a body that is streamed. Rejects when the request is aborted.
   */
  gather(given: Cancellation): Promise<void> | undefined {
    const request = this.#request;
    const length = Number(request.headers['content-length'] ?? Infinity);
    if (!(length <= this.#limit)) return undefined;
    return new Promise((resolve, reject) => {
      const stall = stallLimit(this.#idleTimeoutMs, this.#onError);
      given.onAbort(reason => {
        stall.stop();
        reject(reason);
      });
      const take = (chunk: Buffer) => {
        stall.restart();
        this.#replay.add(chunk);
        if (this.#replay.received < length) return;
        stall.stop();
        this.#replay.add(undefined);
        this.#stopTaking();
        resolve();
      };
      this.#take = take;
      request.on('data', take).on('error', this.#onError);
    });
  }

  /** The body from its beginning. Only while it is replayable or unread. */
  open(): Buffer | AsyncIterable<Buffer> | null {
    return this.#replay.ended ? this.#replay.whole() : this.#replay.open();
  }

  /** Drops the body; Node's request may stay in memory for long. */
  free(): void {
    this.#replay.free();
    this.#stopTaking();
  }

  #stopTaking(): void {
    if (this.#take === undefined) return;
    this.#request.off('data', this.#take).off('error', this.#onError);
    this.#take = undefined;
  }

  async #read(): Promise<Buffer | undefined> {
    this.#source ??= this.#request.iterator({ destroyOnReturn: false });
    const { done, value } = await this.#source.next();
    return done ? undefined : value;
  }
}
