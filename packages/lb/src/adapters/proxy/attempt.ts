import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { upstreamError } from './errors.ts';
import type { RawHeaders } from './headers.ts';

export interface UpstreamRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: RawHeaders;
  readonly body: Buffer | AsyncIterable<Buffer> | null;
  /** The name that the certificate must have. */
  readonly servername: string;
}

/** Who takes the response as it comes. */
export interface Sink {
  start(status: number, message: string | undefined, rawHeaders: readonly (Buffer | string)[]): void;
  /** Returns whether more may come; if not, `resume` of the attempt is called when it may. */
  write(chunk: Buffer): boolean;
}

/** One request to one endpoint, from undici's callbacks to a promise for the end of the response. */
export class UpstreamAttempt implements Dispatcher.DispatchHandler {
  /** Settles when the whole response has come; rejects with UpstreamError or UnforwardableError. */
  readonly finished: Promise<void>;
  readonly #endpoint: string;
  readonly #sink: Sink;
  readonly #onPause: () => void;
  #controller: Dispatcher.DispatchController | undefined;
  #aborted = false;
  #answered = false;
  #resolve: () => void = () => {};
  #reject: (error: unknown) => void = () => {};

  /** @param onPause the sink is full: it is waited for `resume` */
  constructor(endpoint: string, sink: Sink, onPause: () => void) {
    this.#endpoint = endpoint;
    this.#sink = sink;
    this.#onPause = onPause;
    this.finished = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  send(dispatcher: Dispatcher, request: UpstreamRequest): void {
    // Undici takes any async iterable as a body; its types do not say so
    const body = request.body as Buffer | null;
    dispatcher.dispatch({ ...request, body } as Dispatcher.DispatchOptions, this);
  }

  abort(): void {
    this.#aborted = true;
    this.#controller?.abort(new Error('the attempt is not wanted any more'));
  }

  resume(): void {
    this.#controller?.resume();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#aborted) this.abort();
  }

  onResponseStart(
    { rawHeaders }: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
    message?: string,
  ): void {
    if (status < 200) return;
    this.#answered = true;
    // Early releases of undici 7 have the parsed ones only
    const raw = Array.isArray(rawHeaders) ? rawHeaders : flat(headers);
    this.#sink.start(status, message, raw);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#sink.write(chunk)) return;
    controller.pause();
    this.#onPause();
  }

  onResponseEnd(): void {
    this.#resolve();
  }

  onResponseError(_controller: unknown, error: Error): void {
    const progress = { started: this.#controller !== undefined, answered: this.#answered };
    this.#reject(upstreamError(this.#endpoint, error, progress));
  }
}

function flat(headers: IncomingHttpHeaders): string[] {
  return Object.entries(headers).flatMap(([name, value = []]) =>
    [value].flat().flatMap(each => [name, each]),
  );
}
