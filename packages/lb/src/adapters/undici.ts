import { Dispatcher, errors } from '#undici';
import type { EndpointWithUrl } from '../endpoint.ts';
import { ClosedError } from '../errors.ts';
import type { LoadBalancer } from '../load-balancer.ts';
import { checkBalancer } from './balancer-argument.ts';
import { Pools } from './http/pools.ts';
import { BalancedRequest, foreignOrigin } from './undici/balanced-request.ts';
import { modernHandler } from './undici/legacy-handler.ts';
import {
  type BalancedDispatcherOptions,
  type DispatcherSettings,
  dispatcherSettings,
} from './undici/options.ts';

export {
  RequestStalledError,
  UnforwardableError,
  UpstreamError,
  type UpstreamFailure,
} from './http/errors.ts';
export type { TlsOptions, UpstreamOptions } from './http/options.ts';
export type {
  BalancedDispatcherOptions,
  DispatchAnswer,
  DispatchFailure,
  DispatchResult,
} from './undici/options.ts';

/**
 * A dispatcher of undici that sends each request to an endpoint of the balancer, at its `url`: for
 * `fetch(url, { dispatcher })`, `request`, `stream`, `pipeline`, `upgrade`, `connect`, and below interceptors.
 *
 * Another endpoint takes over an idempotent request whose endpoint breaks the connection before the head of its
 * response, times out, or answers 502, 503 or 504; any request that was provably not sent. The balancer's `retry` limits
 * the attempts. A body that can be read only once is sent again while it fits `requestBufferBytes`. Otherwise the
 * handler receives the result of the last attempt: its response, or undici's own error; or NoEndpointError,
 * DeadlineError or ClosedError of the balancer. A body that stalls for `idleTimeoutMs` fails its request with a
 * RequestStalledError. A request counts as in flight until the last byte of its response, after a switch of protocols
 * until the connection is over.
 *
 * @throws InvalidOptionError, and InvalidEndpointError for an endpoint without an http or https url; a later set that has one is refused
 */
export function balancedDispatcher<E extends EndpointWithUrl>(
  balancer: LoadBalancer<E>,
  options: BalancedDispatcherOptions = {},
): BalancedDispatcher<E> {
  checkBalancer(balancer);
  return new BalancedDispatcher(balancer, dispatcherSettings(options));
}

export class BalancedDispatcher<E extends EndpointWithUrl> extends Dispatcher implements AsyncDisposable {
  readonly #balancer: LoadBalancer<E>;
  readonly #settings: DispatcherSettings;
  readonly #pools: Pools<E>;
  readonly #inProgress = new Set<BalancedRequest<E>>();
  #closed = false;
  #whenIdle: (() => void)[] = [];

  constructor(balancer: LoadBalancer<E>, settings: DispatcherSettings) {
    super();
    this.#balancer = balancer;
    this.#settings = settings;
    this.#pools = new Pools(balancer, settings, pool => {
      pool.on('connect', (origin, targets) => this.emit('connect', origin, [this, ...targets]));
      pool.on('disconnect', (origin, targets, error) =>
        this.emit('disconnect', origin, [this, ...targets], error),
      );
      pool.on('connectionError', (origin, targets, error) => {
        this.emit('connectionError', origin, [this, ...targets], error);
      });
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Always returns true: the endpoint is chosen when the request's turn comes. @throws InvalidArgumentError of undici */
  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (typeof handler !== 'object' || handler === null) {
      throw new errors.InvalidArgumentError('handler must be an object');
    }
    if (typeof options !== 'object' || options === null) {
      throw new errors.InvalidArgumentError('opts must be an object');
    }
    if (typeof options.path !== 'string') throw new errors.InvalidArgumentError('opts.path must be a string');
    const adapted = modernHandler(handler);
    const { origin: expected, otherwise } = this.#settings;
    const { origin } = options;
    if (origin !== undefined && !URL.canParse(String(origin))) {
      throw new errors.InvalidArgumentError('opts.origin must be a url');
    }
    const isForeign = expected !== undefined && origin !== undefined && new URL(origin).origin !== expected;
    if (isForeign && otherwise !== undefined) return otherwise.dispatch(options, handler);
    const request: BalancedRequest<E> = new BalancedRequest(
      this.#balancer,
      this.#pools,
      this.#settings,
      options,
      adapted,
      () => this.#ended(request),
    );
    this.#inProgress.add(request);
    if (this.#closed) request.giveUp(this.#closedError());
    else if (isForeign) request.giveUp(foreignOrigin(origin, expected));
    request.run().catch(rethrow);
    return true;
  }

  /** Refuses new requests. Resolves when those in flight have ended and all connections are closed. */
  override close(): Promise<void>;
  override close(callback: () => void): void;
  override close(callback?: () => void): Promise<void> | void {
    this.#closed = true;
    const idle = new Promise<void>(resolve => {
      if (this.#inProgress.size === 0) resolve();
      else this.#whenIdle.push(resolve);
    });
    const closing = idle.then(() => this.#pools.destroy());
    return callback === undefined ? closing : void closing.then(callback);
  }

  /** Fails the requests in flight with that error, or a ClosedError, and closes all connections. */
  override destroy(error?: Error | null): Promise<void>;
  override destroy(callback: () => void): void;
  override destroy(error: Error | null, callback: () => void): void;
  override destroy(first?: Error | null | (() => void), second?: () => void): Promise<void> | void {
    const callback = typeof first === 'function' ? first : second;
    const error = typeof first === 'function' ? null : first;
    this.#closed = true;
    for (const request of this.#inProgress) request.giveUp(error ?? this.#closedError());
    const destroyed = this.#pools.destroy(error);
    return callback === undefined ? destroyed : void destroyed.then(callback);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.destroy();
  }

  #ended(request: BalancedRequest<E>): void {
    this.#inProgress.delete(request);
    if (this.#inProgress.size > 0) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  #closedError(): ClosedError {
    return new ClosedError(this.#balancer.name, 'NotExecuted');
  }
}

/** An error that a handler throws in `onResponseError` is uncaught, as with every dispatcher. */
function rethrow(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
