import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';

type Handler = Dispatcher.DispatchHandler;
type Controller = Dispatcher.DispatchController;

/** A handler with the callbacks of undici 7. The `fetch` of Node 20 and 22 passes one with those of undici 6. */
export function modernHandler(handler: Handler): Handler {
  return handler.onRequestStart === undefined ? new LegacyHandler(handler) : handler;
}

class LegacyHandler implements Handler {
  readonly #handler: Handler;

  constructor(handler: Handler) {
    this.#handler = handler;
  }

  onRequestStart(controller: Controller): void {
    // Some handlers read the second argument, which the types omit
    const connected = this.#handler.onConnect as
      | ((abort: (error?: Error) => void, context: object) => void)
      | undefined;
    connected?.call(this.#handler, error => controller.abort(error as Error), {});
  }

  onRequestUpgrade(
    { rawHeaders }: Controller,
    status: number,
    _headers: IncomingHttpHeaders,
    socket: Duplex,
  ): void {
    this.#handler.onUpgrade?.(status, raw(rawHeaders), socket);
  }

  onResponseStart(controller: Controller, status: number, _headers: unknown, message = ''): void {
    this.#handler.onResponseStarted?.();
    const resume = () => controller.resume();
    const goOn = this.#handler.onHeaders?.(status, raw(controller.rawHeaders), resume, message);
    if (goOn === false) controller.pause();
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#handler.onData?.(chunk) === false) controller.pause();
  }

  onResponseEnd({ rawTrailers }: Controller): void {
    const complete = this.#handler.onComplete as ((trailers: Buffer[]) => void) | undefined;
    complete?.call(this.#handler, raw(rawTrailers));
  }

  onResponseError(_controller: Controller, error: Error): void {
    this.#handler.onError?.(error);
  }
}

/** Names and values in turn, as they came. */
function raw(headers: Controller['rawHeaders']): Buffer[] {
  return ((headers ?? []) as (Buffer | string)[]).map(each =>
    typeof each === 'string' ? Buffer.from(each, 'latin1') : each,
  );
}
