import type { IncomingMessage } from 'node:http';
import type { Cancellation } from '../../util/cancellation.ts';
import { Replay, stallTimer } from '../http/replay.ts';

/** The body of a request that has one, read once from the client, and kept while it is small to be sent more than once. */
export class RequestBody {
  readonly #request: IncomingMessage;
  readonly #limit: number;
  readonly #idleTimeoutMs: number;
  readonly #onError: (error: unknown) => void;
  /** Of a body that is not gathered. */
  #source: AsyncIterator<Buffer> | undefined;
  readonly #replay: Replay;
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
    this.#replay = new Replay(limit, idleTimeoutMs, () => this.#read(), onError);
  }

  /** Whether all of it could be sent again. */
  get replayable(): boolean {
    return this.#replay.replayable;
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
      const timer = stallTimer(this.#idleTimeoutMs, this.#onError);
      given.onAbort(reason => {
        clearTimeout(timer);
        reject(reason);
      });
      this.#take = chunk => {
        timer.refresh();
        this.#replay.add(chunk);
        if (this.#replay.received < length) return;
        clearTimeout(timer);
        this.#replay.add(undefined);
        this.#stopTaking();
        resolve();
      };
      request.on('data', this.#take).on('error', this.#onError);
    });
  }

  /** The body from its beginning; only while it is replayable, or not yet begun. */
  open(): Buffer | AsyncIterable<Buffer> | null {
    return this.#replay.ended ? this.#replay.whole() : this.#replay.open();
  }

  /** Nobody will ask for it again: the request, which may stay in memory for long, lets go of it. */
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
