import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Dispatcher, errors } from '#undici';

type Controller = Dispatcher.DispatchController;

/**
 * The caller's side of a request: its handler, behind one controller that stays the same across attempts. Calls the
 * handler for one response and one end. An error that the handler throws ends the request, as in undici.
 */
export class CallerHandler implements Dispatcher.DispatchController {
  aborted = false;
  paused = false;
  /** The moment of the latest `resume`. */
  resumedAt: number = -Infinity;
  reason: Error | null = null;
  rawHeaders: NonNullable<Controller['rawHeaders']> | null = null;
  rawTrailers: NonNullable<Controller['rawTrailers']> | null = null;
  /** Whether the handler has received the head of a response. */
  committed = false;
  readonly #handler: Dispatcher.DispatchHandler;
  readonly #onAbort: (reason: Error) => void;
  readonly #onEnd: () => void;
  #upstream: Controller | undefined;
  #ended = false;

  /**
   * @param onAbort is called when the caller or the handler aborts the request
   * @param onEnd is called after the handler has received the end
   */
  constructor(handler: Dispatcher.DispatchHandler, onAbort: (reason: Error) => void, onEnd: () => void) {
    this.#handler = handler;
    this.#onAbort = onAbort;
    this.#onEnd = onEnd;
  }

  abort(reason: Error = new errors.RequestAbortedError()): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.#onAbort(reason);
  }

  pause(): void {
    this.paused = true;
    this.#upstream?.pause();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.resumedAt = performance.now();
    this.#upstream?.resume();
  }

  start(): void {
    this.#call(() => this.#handler.onRequestStart?.(this, {}));
  }

  /** An informational response, of which there may be several. */
  inform(from: Controller, status: number, headers: IncomingHttpHeaders, message?: string): void {
    this.rawHeaders = from.rawHeaders ?? null;
    this.#call(() => this.#handler.onResponseStart?.(this, status, headers, message));
  }

  begin(from: Controller, status: number, headers: IncomingHttpHeaders, message?: string): void {
    this.committed = true;
    this.#upstream = from;
    this.inform(from, status, headers, message);
    if (this.paused) from.pause();
  }

  data(chunk: Buffer): void {
    this.#call(() => this.#handler.onResponseData?.(this, chunk));
  }

  end(from: Controller, trailers: IncomingHttpHeaders): void {
    this.rawTrailers = from.rawTrailers ?? null;
    this.#call(() => this.#handler.onResponseEnd?.(this, trailers));
    if (!this.aborted) this.#over();
  }

  upgrade(from: Controller, status: number, headers: IncomingHttpHeaders, socket: Duplex): void {
    this.committed = true;
    this.rawHeaders = from.rawHeaders ?? null;
    this.#call(() => this.#handler.onRequestUpgrade?.(this, status, headers, socket));
    if (!this.aborted) this.#over();
  }

  /** Does nothing after the end. */
  fail(error: Error): void {
    if (this.#ended) return;
    this.#over();
    this.#handler.onResponseError?.(this, error);
  }

  #over(): void {
    this.#ended = true;
    this.#onEnd();
  }

  #call(callback: () => void): void {
    if (this.aborted || this.#ended) return;
    try {
      callback();
    } catch (error) {
      this.abort(error as Error);
    }
  }
}
