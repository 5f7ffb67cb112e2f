import { describe } from '@ashlar/core';
import type { Dispatcher } from 'undici';
import type { EndpointWithUrl } from '../../endpoint.ts';
import type { LoadBalancer } from '../../load-balancer.ts';
import type { AttemptContext, AttemptResult, Verdict } from '../../request.ts';
import { Cancellation } from '../../util/cancellation.ts';
import type { Placed } from '../http/connection.ts';
import { UnforwardableError } from '../http/errors.ts';
import { isClosedConnection, type Pools, type Upstream } from '../http/pools.ts';
import { idempotentMethods } from '../http/replay.ts';
import { climbs } from '../http/url.ts';
import { verdictOnAnswer, verdictOnError } from '../http/verdicts.ts';
import { CallerHandler } from './caller-handler.ts';
import type { DispatcherSettings } from './options.ts';
import { ReplayBody } from './replay-body.ts';
import { type UpstreamHead, UpstreamResponse } from './upstream-response.ts';

/** Faults of the request itself: no other endpoint is tried. */
const invalid = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
]);

/** The endpoint has left the set, and its pool is closed. */
const gone = new Set(['UND_ERR_CLOSED', 'UND_ERR_DESTROYED']);

/** No part of the request was sent. The caller receives the `cause`. */
class NotSent extends Error {
  readonly outcome = 'NotExecuted';
}

type Send = Upstream['dispatchOnce'];

/** One request and its response. */
export class BalancedRequest<E extends EndpointWithUrl> {
  readonly #balancer: LoadBalancer<E>;
  readonly #pools: Pools<E>;
  readonly #settings: DispatcherSettings;
  readonly #options: Dispatcher.DispatchOptions;
  readonly #caller: CallerHandler;
  readonly #body: ReplayBody;
  readonly #idempotent: boolean;
  readonly #cancellation = new Cancellation();
  /** Of the attempt in flight, or the last one. */
  #response: UpstreamResponse | undefined;
  #upstream: Upstream | undefined;
  #endpoint: E | undefined;
  /** On the head of its response. */
  #verdict: (() => Verdict) | undefined;

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
    const headers = named
      ? withHeader(options.headers, 'host', new URL(origin).host)
      : (options.headers ?? null);
    this.#options = { ...options, headers };
    this.#idempotent = idempotent;
    this.#caller = new CallerHandler(handler, reason => this.#stop(reason), onEnd);
    this.#body = new ReplayBody(body, requestBufferBytes, idleTimeoutMs, error => this.giveUp(error));
  }

  /** Fails the request. Counts against no endpoint. */
  giveUp(reason: Error): void {
    this.#caller.abort(reason);
  }

  /** Never rejects: errors go to the handler. Everything up to the first attempt is synchronous. */
  async run(): Promise<void> {
    try {
      this.#caller.start();
      const { path } = this.#options;
      if (climbs(path)) throw new UnforwardableError(`the path ${describe(path)} leads above its root`);
      const response = await this.#balancer.run(context => this.#attempt(context), {
        key: this.#settings.key(this.#options),
        idempotent: this.#idempotent,
        // Two concurrent attempts would answer one handler
        hedge: false,
        cancellation: this.#cancellation,
        classify: result => this.#classify(result),
      });
      response.deliver();
      await response.over;
    } catch (error) {
      this.#response?.drop(error as Error);
      this.#caller.fail((error instanceof NotSent ? error.cause : error) as Error);
    } finally {
      this.#body.end();
    }
  }

  async #attempt(context: AttemptContext<E>): Promise<UpstreamResponse> {
    this.#response = undefined;
    this.#verdict = undefined;
    this.#endpoint = context.endpoint;
    const upstream = this.#pools.of(context.endpoint);
    this.#upstream = upstream;
    const send: Send = (options, response) => upstream.dispatcher.dispatch(options, response);
    const response = this.#send(upstream, send, context);
    try {
      return await this.#answered(response);
    } catch (error) {
      const isStale = response.mayBeStale && !response.answered && isClosedConnection(error);
      if (!isStale || !this.#mayRepeat() || this.#caller.aborted) throw error;
      return this.#answered(this.#send(upstream, upstream.dispatchOnce, context));
    }
  }

  #send(upstream: Upstream, send: Send, context: AttemptContext<E>): UpstreamResponse {
    const { origin, authorization } = upstream;
    const { path, method, headers } = this.#options;
    const { connectTimeoutMs, headersTimeoutMs, idleTimeoutMs } = this.#settings;
    const { headersTimeout, bodyTimeout } = this.#options;
    const headersMs = headersTimeout ?? headersTimeoutMs;
    const times = { startMs: connectTimeoutMs + headersMs, headersMs, idleMs: bodyTimeout ?? idleTimeoutMs };
    const body = this.#body.open();
    const request: Dispatcher.DispatchOptions & Placed & { servername: string } = {
      ...this.#options,
      headers:
        authorization === undefined ? (headers ?? null) : withHeader(headers, 'authorization', authorization),
      origin: origin.origin,
      path: method === 'CONNECT' || !path.startsWith('/') ? path : upstream.target(path),
      // Undici accepts more kinds of bodies than its types say
      body: body as Buffer,
      headersTimeout: unlimited(headersTimeout),
      bodyTimeout: unlimited(bodyTimeout),
      // The same for all requests to an endpoint: undici selects connections by it
      servername: origin.hostname,
    };
    const response = new UpstreamResponse(
      this.#caller,
      request,
      times,
      body === null || body === undefined ? undefined : this.#body,
      head => this.#judge(head, context),
    );
    this.#response = response;
    context.cancellation.onAbort(reason => response.drop(reason as Error));
    send(request, response);
    response.limitStart();
    return response;
  }

  /** Resolves with the response when it is ready. */
  async #answered(response: UpstreamResponse): Promise<UpstreamResponse> {
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

  #mayRepeat(): boolean {
    return this.#idempotent && !this.#caller.committed && this.#body.replayable;
  }

  /** Returns whether the response waits for `#classify`: another may be better, or `classify` of the user's threw. */
  #judge({ status, headers, latencyMs, retryAfterMs }: UpstreamHead, context: AttemptContext<E>): boolean {
    const repeatable = { unread: !this.#caller.committed && this.#body.replayable, safe: this.#idempotent };
    try {
      const about = { endpoint: context.endpoint, status, headers };
      const given = this.#settings.classify?.({ request: this.#options, ...about });
      const verdict = verdictOnAnswer(given, { status, latencyMs, retryAfterMs }, repeatable);
      const judged = () => verdict;
      this.#verdict = judged;
      if (verdict.ok) context.answered();
      return verdict.retry === true;
    } catch (error) {
      const failed = () => {
        throw error;
      };
      this.#verdict = failed;
      return true;
    }
  }

  /** A request is not repeated once the caller has seen a part of the response, or without its whole body. */
  #classify(result: AttemptResult<UpstreamResponse>): Verdict {
    if ('value' in result) return this.#verdict!();
    const error = result.error instanceof NotSent ? result.error.cause : result.error;
    const given = this.#settings.classify?.({ request: this.#options, endpoint: this.#endpoint!, error });
    return verdictOnError(given, result.error, {
      unread: !this.#caller.committed && this.#body.replayable,
      safe: this.#idempotent,
      // In this process, as all connections to the endpoint were in use
      waiting: this.#response?.started === false && this.#upstream?.isFull === true,
    });
  }

  #stop(reason: Error): void {
    this.#cancellation.abort(reason);
    this.#response?.drop(reason);
  }
}

/** Our own limits stand in for undici's; what is no time is left to it to refuse. */
function unlimited(timeoutMs: number | null | undefined): number {
  return timeoutMs != null && !(timeoutMs >= 0) ? timeoutMs : 0;
}

/** The error for a request to an origin that the endpoints do not serve. */
export function foreignOrigin(origin: string | URL, expected: string): UnforwardableError {
  return new UnforwardableError(`the endpoints serve ${expected}, not ${new URL(origin).origin}`);
}

type Headers = Dispatcher.DispatchOptions['headers'];

/** The headers with that one, unless they have one of its name. Accepts every shape that undici does; does not change its argument. */
function withHeader(headers: Headers, name: string, value: string): NonNullable<Headers> {
  if (headers === null || headers === undefined) return { [name]: value };
  const isIt = (other: string) => other.length === name.length && other.toLowerCase() === name;
  if (Array.isArray(headers)) {
    const named = headers.some((each, at) => at % 2 === 0 && isIt(each));
    return named ? headers : [...headers, name, value];
  }
  if (Symbol.iterator in headers) {
    // A value may itself be a list
    return withHeader([...(headers as Iterable<[string, string]>)].flat(), name, value);
  }
  return Object.keys(headers).some(isIt)
    ? headers
    : { ...(headers as Record<string, string>), [name]: value };
}
