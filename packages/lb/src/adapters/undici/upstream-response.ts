import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import { retryAfter } from '../../requests/classify.ts';
import type { Recipient } from './recipient.ts';

type Controller = Dispatcher.DispatchController;

/** Of a response that nobody wants so much is read, so that its connection can be used again. */
const maxDroppedBytes = 65_536;

/** How one endpoint answers, from undici's callbacks on. */
export class UpstreamResponse implements Dispatcher.DispatchHandler {
  status = 0;
  /** From the making of this object to the head of the response. */
  latencyMs = 0;
  retryAfterMs: number | undefined;
  /** Settles when all of it has come, or all that may be had before somebody decides whether it is wanted. */
  readonly ready: Promise<void>;
  /** Settles when all of it has come; after a switch of protocols, when the connection is over. */
  readonly over: Promise<void>;
  readonly #recipient: Recipient;
  readonly #mayBeHeld: (status: number) => boolean;
  readonly #madeAt = performance.now();
  #phase: 'waiting' | 'held' | 'handing' | 'dropping' | 'over' = 'waiting';
  #controller: Controller | undefined;
  #socket: Duplex | undefined;
  #handOn: () => void = () => {};
  #droppedBytes = 0;
  #reason: Error | undefined;
  #resolveReady: () => void = () => {};
  #resolve: () => void = () => {};
  #reject: (error: unknown) => void = () => {};

  /** @param mayBeHeld whether a response of that status is kept back until `deliver` or `drop` */
  constructor(recipient: Recipient, mayBeHeld: (status: number) => boolean) {
    this.#recipient = recipient;
    this.#mayBeHeld = mayBeHeld;
    this.over = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.ready = new Promise((resolve, reject) => {
      this.#resolveReady = resolve;
      this.over.then(resolve, reject);
    });
    // Whoever has gone elsewhere does not wait for it
    this.ready.catch(() => {});
  }

  /** Whether anything may have been sent. */
  get started(): boolean {
    return this.#controller !== undefined;
  }

  /** Whether no more will come. */
  get isOver(): boolean {
    return this.#phase === 'over';
  }

  /** Whether it waits to be delivered or dropped. */
  get held(): boolean {
    return this.#phase === 'held';
  }

  /** Hands on what was held. */
  deliver(): void {
    if (this.#phase !== 'held') return;
    this.#phase = 'handing';
    this.#handOn();
    if (!this.#recipient.paused) this.#controller!.resume();
  }

  /** It is not wanted any more. */
  drop(reason: Error): void {
    if (this.#phase === 'over') return;
    if (this.#phase === 'held' && !this.#recipient.aborted) {
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
    this.#recipient.upgrade(controller, status, headers, socket);
  }

  onResponseStart(
    controller: Controller,
    status: number,
    headers: IncomingHttpHeaders,
    message?: string,
  ): void {
    if (this.#phase !== 'waiting') return;
    const recipient = this.#recipient;
    if (status < 200) {
      recipient.inform(controller, status, headers, message);
      return;
    }
    this.#head(status, headers);
    this.#handOn = () => recipient.begin(controller, status, headers, message);
    if (this.#mayBeHeld(status)) {
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
      this.#recipient.data(chunk);
      return;
    }
    this.#droppedBytes += chunk.length;
    if (this.#droppedBytes > maxDroppedBytes) controller.abort(new Error('the response is not wanted'));
  }

  onResponseEnd(controller: Controller, trailers: IncomingHttpHeaders): void {
    if (this.#phase === 'handing') this.#recipient.end(controller, trailers);
    this.#finish();
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#finish(error);
  }

  #head(status: number, headers: IncomingHttpHeaders): void {
    this.status = status;
    this.latencyMs = performance.now() - this.#madeAt;
    this.retryAfterMs = retryAfter(headers['retry-after']);
  }

  #finish(error?: Error): void {
    this.#phase = 'over';
    if (error === undefined) this.#resolve();
    else this.#reject(error);
  }
}
