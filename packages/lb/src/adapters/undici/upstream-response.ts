import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import { errors } from '#undici';
import { retryAfter } from '../../requests/classify.ts';
import { isCompleteWithoutBody } from '../http/errors.ts';
import type { CallerHandler } from './caller-handler.ts';

type Controller = Dispatcher.DispatchController;

type MayBeHeld = (status: number, retryAfterMs: number | undefined) => boolean;

/** How much of a dropped response is read, so that its connection can be used again. */
const maxDroppedBytes = 65_536;

/** The response of one endpoint, from undici's callbacks to the caller's handler. */
export class UpstreamResponse implements Dispatcher.DispatchHandler {
  status = 0;
  /** Milliseconds from the construction of this object to the head of the response. */
  latencyMs = 0;
  retryAfterMs: number | undefined;
  /** Settles at the end of the response, or at its head when it is held until `deliver` or `drop`. */
  readonly ready: Promise<void>;
  /** Settles at the end of the response; after a switch of protocols, when the connection is over. */
  readonly over: Promise<void>;
  readonly #caller: CallerHandler;
  /** Whether the endpoint may have closed the connection before it read the request. */
  mayBeStale = false;
  readonly #begin: () => boolean | undefined;
  readonly #mayBeHeld: MayBeHeld;
  readonly #onHead: (status: number) => void;
  readonly #madeAt = performance.now();
  #phase: 'waiting' | 'held' | 'handing' | 'dropping' | 'over' = 'waiting';
  #controller: Controller | undefined;
  #socket: Duplex | undefined;
  #handOn: () => void = () => {};
  #droppedBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #reason: Error | undefined;
  #resolveReady: () => void = () => {};
  #resolve: () => void = () => {};
  #reject: (error: unknown) => void = () => {};

  /**
   * @param begin is called as the request goes out; returns whether it is the first one on its connection
   * @param mayBeHeld whether a response with that status and `Retry-After` is held until `deliver` or `drop`
   * @param onHead is called with the status of the response
   */
  constructor(
    caller: CallerHandler,
    begin: () => boolean | undefined,
    mayBeHeld: MayBeHeld,
    onHead: (status: number) => void,
  ) {
    this.#caller = caller;
    this.#begin = begin;
    this.#mayBeHeld = mayBeHeld;
    this.#onHead = onHead;
    this.over = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.ready = new Promise((resolve, reject) => {
      this.#resolveReady = resolve;
      this.over.then(resolve, reject);
    });
    // A dropped attempt is not awaited
    this.ready.catch(() => {});
  }

  /** Whether any part of the request may have been sent. */
  get started(): boolean {
    return this.#controller !== undefined;
  }

  /** Whether the head of the response has arrived. */
  get answered(): boolean {
    return this.status !== 0;
  }

  /** Whether the response has ended or failed. */
  get isOver(): boolean {
    return this.#phase === 'over';
  }

  /** Whether it waits for `deliver` or `drop`. */
  get held(): boolean {
    return this.#phase === 'held';
  }

  /** Drops the request unless it is sent in time; undici's own timeouts leave out the wait for a free connection. */
  limitStart(timeoutMs: number): void {
    if (this.started || this.isOver) return;
    this.#timer = setTimeout(() => this.drop(new errors.HeadersTimeoutError()), timeoutMs);
  }

  /** Passes the held response to the caller. */
  deliver(): void {
    if (this.#phase !== 'held') return;
    this.#phase = 'handing';
    this.#handOn();
    if (!this.#caller.paused) this.#controller!.resume();
  }

  /** Discards the response. */
  drop(reason: Error): void {
    if (this.#phase === 'over') return;
    if (this.#phase === 'held' && !this.#caller.aborted) {
      this.#phase = 'dropping';
      this.#controller!.resume();
      return;
    }
    this.#reason = reason;
    this.#finish(reason);
    this.#controller?.abort(reason);
    this.#socket?.destroy();
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    clearTimeout(this.#timer);
    this.mayBeStale = this.#begin() === false;
    if (this.#reason !== undefined) controller.abort(this.#reason);
  }

  onRequestUpgrade(
    controller: Controller,
    status: number,
    headers: IncomingHttpHeaders,
    socket: Duplex,
  ): void {
    this.#head(status, headers);
    this.#phase = 'handing';
    this.#socket = socket;
    socket.once('close', () => this.#finish());
    this.#caller.upgrade(controller, status, headers, socket);
  }

  onResponseStart(
    controller: Controller,
    status: number,
    headers: IncomingHttpHeaders,
    message?: string,
  ): void {
    if (this.#phase !== 'waiting') return;
    const caller = this.#caller;
    if (status < 200) {
      caller.inform(controller, status, headers, message);
      return;
    }
    this.#head(status, headers);
    this.#handOn = () => caller.begin(controller, status, headers, message);
    if (this.#mayBeHeld(status, this.retryAfterMs)) {
      this.#phase = 'held';
      controller.pause();
      this.#resolveReady();
    } else {
      this.#phase = 'handing';
      this.#handOn();
    }
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#phase === 'handing') {
      this.#caller.data(chunk);
      return;
    }
    this.#droppedBytes += chunk.length;
    if (this.#droppedBytes > maxDroppedBytes) controller.abort(new Error('the response was dropped'));
  }

  onResponseEnd(controller: Controller, trailers: IncomingHttpHeaders): void {
    if (this.#phase === 'handing') this.#caller.end(controller, trailers);
    this.#finish();
  }

  onResponseError(controller: Controller, error: Error): void {
    if (isCompleteWithoutBody(this.status, error)) return void this.onResponseEnd(controller, {});
    this.#finish(error);
  }

  #head(status: number, headers: IncomingHttpHeaders): void {
    this.status = status;
    this.latencyMs = performance.now() - this.#madeAt;
    this.retryAfterMs = retryAfter(headers['retry-after']);
    this.#onHead(status);
  }

  #finish(error?: Error): void {
    this.#phase = 'over';
    clearTimeout(this.#timer);
    if (error === undefined) this.#resolve();
    else this.#reject(error);
  }
}
