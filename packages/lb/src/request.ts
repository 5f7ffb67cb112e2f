import type { Key } from '@ashlar/hash-ring';
import type { Endpoint } from './endpoint.ts';
import type { Settlement } from './policy.ts';
import type { Cancellation } from './util/cancellation.ts';

export interface PickOptions {
  /** What the request is about: `consistent` gives equal keys to the same endpoint. */
  readonly key?: Key | undefined;
  /** Ids of endpoints that must not be picked. */
  readonly exclude?: Iterable<string> | undefined;
}

export interface AcquireOptions {
  readonly key?: Key | undefined;
  /** How long it may take in all, above 0; DeadlineError when that is over. No limit if absent. */
  readonly timeoutMs?: number | undefined;
  /** Gives up when it aborts: the call rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** @internal As `signal`, for adapters that make thousands of requests a second. */
  readonly cancellation?: Cancellation | undefined;
}

export interface DrainOptions {
  /** How long to wait, above 0; DeadlineError when that is over. No limit if absent. */
  readonly timeoutMs?: number | undefined;
  /** Gives up waiting when it aborts: the call rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface Request extends AcquireOptions {
  /** Doing it twice is as good as once: it may be sent to another endpoint after any failure, and hedged. False if absent. */
  readonly idempotent?: boolean | undefined;
  /** False: it is never sent to another endpoint while the first is awaited. */
  readonly hedge?: boolean | undefined;
}

/** What an attempt is given. A class, so that a copy by `...`, which would lack the signal, is an error of types. */
export abstract class AttemptContext<E extends Endpoint> {
  abstract readonly endpoint: E;
  /**
   * Aborts when the attempt is no longer wanted: at a deadline, when the caller gives up, when the balancer closes, when
   * the request goes to another endpoint, or when another attempt was quicker. Never after `run` has settled with what
   * this attempt gave.
   */
  abstract get signal(): AbortSignal;
  /** @internal What `signal` is made of once it is read; to listen here costs next to nothing. */
  abstract readonly cancellation: Cancellation;
  /** 1 for the first; each retry and each hedge has the next number. */
  abstract readonly attempt: number;
}

export type Attempt<E extends Endpoint, T> = (context: AttemptContext<E>) => Promise<T>;

/** What an attempt gave: a value, or the error it threw. */
export type AttemptResult<T> = { readonly value: T } | { readonly error: unknown };

/** What a result means for the endpoint. */
export interface Verdict {
  readonly ok: boolean;
  readonly retryAfterMs?: number | undefined;
  /** How long the endpoint took; until the attempt settled if absent. */
  readonly latencyMs?: number | undefined;
  /** Whether a failure may be tried elsewhere; by default when the request is idempotent or was not executed. */
  readonly retry?: boolean | undefined;
}

export interface RunOptions<T> extends Request {
  readonly classify?: ((result: AttemptResult<T>) => Verdict) | undefined;
}

/** One request's right to an endpoint. It counts as in flight until it is done. */
export interface Picked<E extends Endpoint> extends Disposable {
  /** As it was when it was picked. */
  readonly endpoint: E;
  /**
   * Ends the request. Without an argument it says nothing of the endpoint, as when the caller gave up. The first call
   * counts; later ones do nothing, so that cleaning up may call it again.
   */
  done(settlement?: Settlement): void;
}
