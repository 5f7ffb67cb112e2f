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
    controller: Controller,
    status: number,
    headers: IncomingHttpHeaders,
    socket: Duplex,
  ): void {
    this.#handler.onUpgrade?.(status, raw(controller.rawHeaders, headers), socket);
  }

  onResponseStart(controller: Controller, status: number, headers: IncomingHttpHeaders, message = ''): void {
    this.#handler.onResponseStarted?.();
    const resume = () => controller.resume();
    const goOn = this.#handler.onHeaders?.(status, raw(controller.rawHeaders, headers), resume, message);
    if (goOn === false) controller.pause();
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#handler.onData?.(chunk) === false) controller.pause();
  }

  onResponseEnd(controller: Controller, trailers: IncomingHttpHeaders): void {
    const complete = this.#handler.onComplete as ((trailers: Buffer[]) => void) | undefined;
    complete?.call(this.#handler, raw(controller.rawTrailers, trailers));
  }

  onResponseError(_controller: Controller, error: Error): void {
    this.#handler.onError?.(error);
  }
}

/** Names and values in turn. Early releases of undici 7 pass only the parsed headers. */
function raw(headers: Controller['rawHeaders'], parsed: IncomingHttpHeaders): Buffer[] {
  const all = Array.isArray(headers)
    ? headers
    : Object.entries(parsed).flatMap(([name, value = []]) => [value].flat().flatMap(each => [name, each]));
  return all.map(each => (typeof each === 'string' ? Buffer.from(each, 'latin1') : each));
}
