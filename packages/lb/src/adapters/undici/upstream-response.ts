import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import { errors } from '#undici';
import { retryAfter } from '../../requests/classify.ts';
import type { Placed } from '../http/connection.ts';
import { isCompleteWithoutBody } from '../http/errors.ts';
import { type Upload, UpstreamLimits } from '../http/limits/upstream-limits.ts';
import type { CallerHandler } from './caller-handler.ts';

type Controller = Dispatcher.DispatchController;

/** The times that an endpoint may take, in milliseconds. */
export interface UpstreamTimes {
  /** Until the request goes out: for a connection, or a free one of a full pool. */
  readonly startMs: number;
  /** Until the head of the response; 0 is no limit, as in undici. */
  readonly headersMs: number;
  /** Between two parts of the body; 0 is no limit. */
  readonly idleMs: number;
}

/** The head of a response. */
export interface UpstreamHead {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Milliseconds from the construction of the UpstreamResponse to the head. */
  readonly latencyMs: number;
  readonly retryAfterMs: number | undefined;
}

type Judge = (head: UpstreamHead) => boolean;

/** How much of a dropped response is read, so that its connection can be used again. */
const maxDroppedBytes = 65_536;

/** The response of one endpoint, from undici's callbacks to the caller's handler. */
export class UpstreamResponse implements Dispatcher.DispatchHandler {
  status = 0;
  /** Settles at the end of the response, or at its head when it is held until `deliver` or `drop`. */
  readonly ready: Promise<void>;
  /** Settles at the end of the response; after a switch of protocols, when the connection is over. */
  readonly over: Promise<void>;
  readonly #caller: CallerHandler;
  /** Whether the endpoint may have closed the connection before it read the request. */
  mayBeStale = false;
  readonly #placed: Placed;
  readonly #times: UpstreamTimes;
  readonly #upload: Upload | undefined;
  readonly #judge: Judge;
  readonly #madeAt = performance.now();
  #phase: 'waiting' | 'held' | 'handing' | 'dropping' | 'over' = 'waiting';
  #controller: Controller | undefined;
  #socket: Duplex | undefined;
  #handOn: () => void = () => {};
  #droppedBytes = 0;
  readonly #limits: UpstreamLimits<UpstreamResponse> = new UpstreamLimits<UpstreamResponse>(
    this,
    UpstreamResponse.#expire,
  );
  #reason: Error | undefined;
  #resolveReady: () => void = () => {};
  #resolve: () => void = () => {};
  #reject: (error: unknown) => void = () => {};

  /**
   * @param placed receives the connection of the request as it goes out
   * @param upload the body of the request, if it has one
   * @param judge is called with the head; returns whether the response is held until `deliver` or `drop`
   */
  constructor(
    caller: CallerHandler,
    placed: Placed,
    times: UpstreamTimes,
    upload: Upload | undefined,
    judge: Judge,
  ) {
    this.#caller = caller;
    this.#placed = placed;
    this.#times = times;
    this.#upload = upload;
    this.#judge = judge;
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

  /** Drops the request unless it goes out in time. */
  limitStart(): void {
    if (!this.started && !this.isOver) this.#limits.start(this.#times.startMs);
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
    // A socket that was handed on is no longer undici's: 7.28 would destroy it with an error that nobody hears
    if (this.#socket === undefined) this.#controller?.abort(reason);
    else this.#socket.destroy();
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    this.#limits.stop();
    const { connection } = this.#placed;
    this.mayBeStale = connection?.begin() === false;
    const { headersMs } = this.#times;
    if (this.#reason !== undefined) controller.abort(this.#reason);
    else if (headersMs > 0) this.#limits.startHead(headersMs, this.#upload, connection);
  }

  onRequestUpgrade(
    controller: Controller,
    status: number,
    headers: IncomingHttpHeaders,
    socket: Duplex,
  ): void {
    this.#head(status, headers);
    this.#limits.stop();
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
    const held = this.#head(status, headers);
    this.#limits.stop();
    const { idleMs } = this.#times;
    if (idleMs > 0) this.#limits.start(idleMs);
    const handOn = () => caller.begin(controller, status, headers, message);
    this.#handOn = handOn;
    if (held) {
      this.#phase = 'held';
      controller.pause();
      this.#resolveReady();
    } else {
      this.#phase = 'handing';
      handOn();
    }
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.#limits.restart();
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

  /** A body that the caller has paused is not late. */
  static #expire(response: UpstreamResponse): void {
    if (!response.answered) {
      response.drop(new errors.HeadersTimeoutError());
      return;
    }
    const { paused, resumedAt } = response.#caller;
    const { idleMs } = response.#times;
    const leftMs = idleMs - (performance.now() - resumedAt);
    if (paused || response.held) response.#limits.start(idleMs);
    else if (leftMs > 0) response.#limits.start(leftMs);
    else response.drop(new errors.BodyTimeoutError());
  }

  #head(status: number, headers: IncomingHttpHeaders): boolean {
    this.status = status;
    const latencyMs = performance.now() - this.#madeAt;
    return this.#judge({ status, headers, latencyMs, retryAfterMs: retryAfter(headers['retry-after']) });
  }

  #finish(error?: Error): void {
    this.#phase = 'over';
    this.#limits.stop();
    if (error === undefined) this.#resolve();
    else this.#reject(error);
  }
}
