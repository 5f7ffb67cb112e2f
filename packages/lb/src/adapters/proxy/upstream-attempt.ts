import type { IncomingHttpHeaders } from 'node:http';
import type { CallOutcome } from '@ashlar/core';
import type { Dispatcher } from 'undici';
import type { Connection, Placed } from '../http/connection.ts';
import {
  isCompleteWithoutBody,
  UnforwardableError,
  UpstreamError,
  type UpstreamFailure,
  upstreamError,
} from '../http/errors.ts';
import type { StallWatch } from '../http/limits/stall-watch.ts';
import { type Upload, UpstreamLimits } from '../http/limits/upstream-limits.ts';
import { isClosedConnection, type Upstream } from '../http/pools.ts';
import type { RawHeaders } from './headers.ts';
import type { HeldResponse } from './held-response.ts';
import type { ProxySettings } from './options.ts';

/** The options of one dispatch. A class for the reason of `Fulfilled` in `requests/execution.ts`. */
export class UpstreamRequest implements Placed {
  connection?: Connection;
  readonly method: string;
  readonly path: string;
  readonly headers: RawHeaders;
  body: Buffer | AsyncIterable<Buffer> | null;
  /** The same for all requests to an endpoint: undici selects connections by it. */
  readonly servername: string;

  constructor(
    method: string,
    path: string,
    headers: RawHeaders,
    body: Buffer | AsyncIterable<Buffer> | null,
    servername: string,
  ) {
    this.method = method;
    this.path = path;
    this.headers = headers;
    this.body = body;
    this.servername = servername;
  }
}

/** Whom the response is for. */
interface Client {
  /** Runs while the client should take what is sent. */
  readonly uptake: StallWatch;
  readonly body: Upload | undefined;
  /** Fails the request for a reason that counts against no endpoint and allows no retry. */
  giveUp(error: unknown): void;
}

/** One request to one endpoint: turns undici's callbacks into a promise for the end of the response. */
export class UpstreamAttempt implements Dispatcher.DispatchHandler {
  /** Resolves at the end of the response; rejects with UpstreamError or UnforwardableError. */
  readonly finished: Promise<HeldResponse>;
  readonly #endpoint: string;
  readonly #held: HeldResponse;
  readonly #settings: ProxySettings;
  readonly #client: Client;
  readonly #upstream: Upstream;
  /** Sends the request on a new connection; absent when it must not be sent twice. */
  #sendAgain: (() => boolean) | undefined;
  #request: UpstreamRequest | undefined;
  #mayBeStale = false;
  #controller: Dispatcher.DispatchController | undefined;
  readonly #limits: UpstreamLimits<UpstreamAttempt> = new UpstreamLimits<UpstreamAttempt>(
    this,
    UpstreamAttempt.#expire,
  );
  #aborted = false;
  #answered = false;
  #paused = false;
  #resolve: (held: HeldResponse) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(
    endpoint: string,
    upstream: Upstream,
    held: HeldResponse,
    settings: ProxySettings,
    client: Client,
  ) {
    this.#endpoint = endpoint;
    this.#upstream = upstream;
    this.#held = held;
    this.#settings = settings;
    this.#client = client;
    this.finished = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Whether no part of the request was sent, as all connections to the endpoint were in use. */
  get isWaiting(): boolean {
    return this.#controller === undefined && this.#upstream.isFull;
  }

  /** @param again makes the request anew while it may be repeated; a kept connection may be closed just now */
  send(request: UpstreamRequest, again: () => UpstreamRequest | undefined): void {
    const sendAgain = () => {
      const repeated = again();
      if (repeated === undefined) return false;
      this.#controller = undefined;
      this.#limitStart();
      this.#upstream.dispatchOnce(this.#noting(repeated), this);
      return true;
    };
    this.#sendAgain = sendAgain;
    this.#limitStart();
    this.#upstream.dispatcher.dispatch(this.#noting(request), this);
  }

  /** Limits the wait for a connection too, also for a free one of a full pool. */
  #limitStart(): void {
    this.#limits.start(this.#settings.connectTimeoutMs + this.#settings.headersTimeoutMs);
  }

  #noting(request: UpstreamRequest): Dispatcher.DispatchOptions {
    this.#request = request;
    // Undici accepts any async iterable as a body; its types do not say so
    return request as Dispatcher.DispatchOptions;
  }

  abort(reason: Error = new Error('the attempt was abandoned')): void {
    this.#aborted = true;
    this.#limits.stop();
    this.#controller?.abort(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    const { body = null, connection } = this.#request ?? {};
    this.#request = undefined;
    this.#mayBeStale = connection?.begin() === false;
    if (this.#aborted) {
      this.abort();
      return;
    }
    const upload = body === null ? undefined : this.#client.body;
    this.#limits.startHead(this.#settings.headersTimeoutMs, upload, connection);
  }

  onResponseStart(
    { rawHeaders }: Dispatcher.DispatchController,
    status: number,
    _headers: IncomingHttpHeaders,
    message?: string,
  ): void {
    if (status < 200) return;
    this.#answered = true;
    this.#limits.start(this.#settings.idleTimeoutMs);
    // As they came: what undici has parsed is in lower case, and decoded
    if (!this.#held.start(status, message, rawHeaders as Buffer[])) this.#end('malformed', 'Unknown');
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#limits.restart();
    if (this.#held.write(chunk)) return;
    this.#paused = true;
    controller.pause();
    this.#client.uptake.start();
    this.#held.onDrain(() => this.#resume());
  }

  onResponseEnd(): void {
    this.#limits.stop();
    this.#held.complete();
    this.#resolve(this.#held);
  }

  onResponseError(_controller: unknown, error: Error): void {
    if (this.#answered && isCompleteWithoutBody(this.#held.status, error)) return void this.onResponseEnd();
    this.#limits.stop();
    if (this.#mayBeStale && !this.#answered && !this.#aborted && isClosedConnection(error)) {
      const sendAgain = this.#sendAgain;
      this.#sendAgain = undefined;
      if (sendAgain?.() === true) return;
    }
    const progress = { started: this.#controller !== undefined, answered: this.#answered };
    const failure = upstreamError(this.#endpoint, error, progress);
    if (failure instanceof UnforwardableError) this.#client.giveUp(failure);
    this.#reject(failure);
  }

  #resume(): void {
    this.#paused = false;
    this.#client.uptake.stop();
    if (this.#aborted) return;
    this.#limits.start(this.#settings.idleTimeoutMs);
    this.#controller?.resume();
  }

  static #expire(attempt: UpstreamAttempt): void {
    if (attempt.#paused) return;
    const outcome = attempt.#controller === undefined ? 'NotExecuted' : 'Unknown';
    attempt.#end('timeout', outcome);
  }

  #end(reason: UpstreamFailure, outcome: CallOutcome): void {
    const error = new UpstreamError(this.#endpoint, reason, outcome);
    this.#reject(error);
    this.abort(error);
  }
}
