import type { Dispatcher } from 'undici';
import type { Endpoint } from '../../endpoint.ts';
import type { LoadBalancer } from '../../load-balancer.ts';
import type { AttemptContext, AttemptResult, Verdict } from '../../request.ts';
import { notExecuted } from '../../requests/classify.ts';
import { Cancellation } from '../../util/cancellation.ts';
import { UnforwardableError } from '../http/errors.ts';
import type { Pools } from '../http/pools.ts';
import { idempotentMethods, unavailable } from '../http/replay.ts';
import { upstreamPath } from '../http/url.ts';
import type { DispatcherSettings } from './options.ts';
import { Recipient } from './recipient.ts';
import { ReplayBody } from './replay-body.ts';
import { UpstreamResponse } from './upstream-response.ts';

/** What is the fault of the request, so that nobody else need be asked. */
const invalid = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
]);

/** The endpoint has left just now, with its pool. */
const gone = new Set(['UND_ERR_CLOSED', 'UND_ERR_DESTROYED']);

/** No part of the request was sent; the `cause` is what the caller gets. */
class NotSent extends Error {
  readonly outcome = 'NotExecuted';
}

/** One request and its response. */
export class BalancedRequest<E extends Endpoint> {
  readonly #balancer: LoadBalancer<E>;
  readonly #pools: Pools<E>;
  readonly #settings: DispatcherSettings;
  readonly #options: Dispatcher.DispatchOptions;
  readonly #recipient: Recipient;
  readonly #body: ReplayBody;
  readonly #idempotent: boolean;
  readonly #cancellation = new Cancellation();
  /** Of the attempt under way, or the last. */
  #response: UpstreamResponse | undefined;

  constructor(
    balancer: LoadBalancer<E>,
    pools: Pools<E>,
    settings: DispatcherSettings,
    options: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
    onEnd: () => void,
  ) {
    this.#balancer = balancer;
    this.#pools = pools;
    this.#settings = settings;
    const { host, requestBufferBytes, idleTimeoutMs } = settings;
    const { origin, body, method, idempotent = idempotentMethods.has(method) } = options;
    const named = host === 'request' && origin !== undefined && method !== 'CONNECT';
    const headers = named ? withHost(options.headers, new URL(origin).host) : (options.headers ?? null);
    this.#options = { ...options, headers };
    this.#idempotent = idempotent;
    this.#recipient = new Recipient(handler, reason => this.#stop(reason), onEnd);
    this.#body = new ReplayBody(body, requestBufferBytes, idleTimeoutMs, error => this.giveUp(error));
  }

  /** Ends it; the endpoint is not blamed. */
  giveUp(reason: Error): void {
    this.#recipient.abort(reason);
  }

  /** Never rejects: the handler is told. Its part up to the first attempt is synchronous. */
  async run(): Promise<void> {
    try {
      this.#recipient.start();
      const response = await this.#balancer.run(context => this.#attempt(context), {
        key: this.#settings.key(this.#options),
        idempotent: this.#idempotent,
        // Two at a time would answer one handler
        hedge: false,
        cancellation: this.#cancellation,
        classify: result => this.#classify(result),
      });
      response.deliver();
      await response.over;
    } catch (error) {
      this.#recipient.fail((error instanceof NotSent ? error.cause : error) as Error);
    } finally {
      this.#body.end();
    }
  }

  async #attempt({ endpoint, cancellation }: AttemptContext<E>): Promise<UpstreamResponse> {
    const { origin, dispatcher } = this.#pools.of(endpoint);
    const { path, method } = this.#options;
    const response = new UpstreamResponse(this.#recipient, status => this.#mayGoElsewhere(status));
    this.#response = response;
    cancellation.onAbort(reason => response.drop(reason as Error));
    const request = {
      ...this.#options,
      origin: origin.origin,
      path: method === 'CONNECT' || !path.startsWith('/') ? path : upstreamPath(origin, path),
      // Undici takes more kinds of bodies than its types say
      body: this.#body.open() as Buffer,
      // One for all requests to an endpoint: by it undici tells apart which connections serve
      servername: origin.hostname,
    };
    dispatcher.dispatch(request, response);
    const refused = response.isOver && !response.started;
    try {
      await response.ready;
      return response;
    } catch (error) {
      const code = String((error as { readonly code?: unknown } | null)?.code);
      if (invalid.has(code) || (refused && !gone.has(code))) this.giveUp(error as Error);
      throw response.started ? error : new NotSent('the request was not sent', { cause: error });
    }
  }

  #mayGoElsewhere(status: number): boolean {
    return this.#idempotent && unavailable.has(status) && !this.#recipient.committed && this.#body.replayable;
  }

  /** Nothing is tried again that the caller has seen a part of, or whose body is not at hand any more. */
  #classify(result: AttemptResult<UpstreamResponse>): Verdict {
    const mayRepeat = !this.#recipient.committed && this.#body.replayable;
    if ('error' in result) {
      return { ok: false, retry: mayRepeat && (this.#idempotent || notExecuted(result.error)) };
    }
    const { status, latencyMs, retryAfterMs, held } = result.value;
    return { ok: status < 500 && status !== 429, latencyMs, retryAfterMs, retry: mayRepeat && held };
  }

  #stop(reason: Error): void {
    this.#cancellation.abort(reason);
    this.#response?.drop(reason);
  }
}

/** Refuses a request that is none for the endpoints. */
export function foreignOrigin(origin: string | URL, expected: string): UnforwardableError {
  return new UnforwardableError(`the endpoints serve ${expected}, not ${new URL(origin).origin}`);
}

type Headers = Dispatcher.DispatchOptions['headers'];

/** The headers with that `Host`, unless they have one. Of whatever shape undici takes; those given are not changed. */
function withHost(headers: Headers, host: string): NonNullable<Headers> {
  if (headers === null || headers === undefined) return { host };
  if (Array.isArray(headers)) {
    const named = headers.some((name, at) => at % 2 === 0 && isHost(name));
    return named ? headers : [...headers, 'host', host];
  }
  if (Symbol.iterator in headers) {
    // A value may be a list of values, which stays one
    return withHost([...(headers as Iterable<[string, string]>)].flat(), host);
  }
  return Object.keys(headers).some(isHost) ? headers : { ...(headers as Record<string, string>), host };
}

function isHost(name: string): boolean {
  return name.length === 4 && name.toLowerCase() === 'host';
}
