import type { Key } from '@ashlar/hash-ring';
import type { Endpoint } from './endpoint.ts';
import type { Settlement } from './policy.ts';
import type { Cancellation } from './util/cancellation.ts';

export interface PickOptions {
  /** What the request is about: `consistent` sends equal keys to the same endpoint. */
  readonly key?: Key | undefined;
  /** The id of the endpoint that should take it, if it can: session affinity. Otherwise the policy chooses. */
  readonly prefer?: string | undefined;
  /** Ids of endpoints that must not be picked. */
  readonly exclude?: Iterable<string> | undefined;
}

export interface AcquireOptions {
  /** As of `PickOptions`. */
  readonly key?: Key | undefined;
  /** As of `PickOptions`; a retry goes elsewhere. */
  readonly prefer?: string | undefined;
  /** The limit for the whole call, in milliseconds, above 0; then it rejects with DeadlineError. Default: none. */
  readonly timeoutMs?: number | undefined;
  /** Aborts the call, which rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** @internal As `signal`, for adapters that make thousands of requests a second. */
  readonly cancellation?: Cancellation | undefined;
}

export interface DrainOptions {
  /** The longest wait, in milliseconds, above 0; then the call rejects with DeadlineError. Default: no limit. */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait when it aborts; the call rejects with its reason. The endpoint stays drained. */
  readonly signal?: AbortSignal | undefined;
}

export interface Request extends AcquireOptions {
  /** Whether executing it twice is safe: any failure may be retried on another endpoint, and it may be hedged. Default: false. */
  readonly idempotent?: boolean | undefined;
  /** `false`: this request is never hedged. Default: hedged if it is idempotent and the balancer has `hedge`. */
  readonly hedge?: boolean | undefined;
}

/** The context of an attempt. A class, so that a copy by `...`, which would lack the signal, is a type error. */
export abstract class AttemptContext<E extends Endpoint> {
  abstract readonly endpoint: E;
  /**
   * Aborts when the attempt is no longer wanted: at a deadline, when the caller's signal aborts, when the balancer closes,
   * when the request goes to another endpoint, or when another attempt was quicker. Never after `run` has settled with the
   * result of this attempt.
   */
  abstract get signal(): AbortSignal;
  /** @internal The source of `signal`; a listener here costs next to nothing. */
  abstract readonly cancellation: Cancellation;
  /** 1 for the first; each retry and hedge has the next number. */
  abstract readonly attempt: number;
  /**
   * @internal For attempts that settle at the end of a stream: the endpoint has begun a good answer, which no other may replace
   * any more. The timeout of the attempt ends.
   */
  abstract answered(): void;
}

export type Attempt<E extends Endpoint, T> = (context: AttemptContext<E>) => Promise<T>;

/** The result of an attempt: its value, or the error it threw. */
export type AttemptResult<T> = { readonly value: T } | { readonly error: unknown };

/** What a result means for the endpoint. */
export interface Verdict {
  /** Whether the endpoint did its work. */
  readonly ok: boolean;
  /** `false`: a failure that is not the endpoint's fault, for which it is not ejected. Default: true. */
  readonly blame?: boolean | undefined;
  /** How long the endpoint asked to be left alone, as by `Retry-After`, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** How long the endpoint took, in milliseconds. Default: until the attempt settled. */
  readonly latencyMs?: number | undefined;
  /** Whether a failure may be retried on another endpoint. Default: if the request is idempotent or was not executed. */
  readonly retry?: boolean | undefined;
}

export interface RunOptions<T> extends Request {
  /** Decides what a result means. Default: errors, status 500 and more, and 429 are failures, the last without blame. */
  readonly classify?: ((result: AttemptResult<T>) => Verdict) | undefined;
}

/** An endpoint for one request, which counts as in flight until `done`. */
export interface Picked<E extends Endpoint> extends Disposable {
  /** The endpoint as it was when it was picked. */
  readonly endpoint: E;
  /**
   * Ends the request. Without an argument it says nothing about the endpoint, as when the caller canceled. The first call
   * counts; later calls do nothing, so a `finally` may call it again.
   *
   * @throws InvalidOptionError; then the request is still in flight
   */
  done(settlement?: Settlement): void;
}
