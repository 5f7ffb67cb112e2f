import { type CallOutcome, type Clock, numberOption } from '@ashlar/core';
import { Cancellation } from './cancellation.ts';
import { DeadlineError } from './errors.ts';
import type { AcquireOptions } from './request.ts';
import { onAbort } from './shared-signal.ts';

/**
 * How long one call may go on: until its deadline, the caller's signal or the close of the balancer. What it waits for
 * listens to `cancellation`, a new one for each attempt.
 */
export class Call {
  /** What an end from outside would mean: `Unknown` once an endpoint has had the request. */
  outcome: CallOutcome = 'NotExecuted';
  /** Whether it was ended from outside; `cancellation.reason` says why. */
  stopped = false;
  /** Whether the deadline ended it. */
  expired = false;
  readonly #clock: Clock;
  readonly #timer: AbortController | undefined;
  readonly #stopListening: (() => void) | undefined;
  #ended = false;
  #attempt: Cancellation = new Cancellation();

  /** @throws InvalidOptionError, and the signal's reason when it has aborted already */
  constructor(clock: Clock, { timeoutMs, signal, cancellation }: AcquireOptions) {
    if (timeoutMs !== undefined) numberOption('timeoutMs', timeoutMs, { above: 0 });
    signal?.throwIfAborted();
    if (cancellation?.aborted) throw cancellation.reason;
    this.#clock = clock;
    this.#stopListening = signal && onAbort(signal, reason => this.stop(reason));
    cancellation?.onAbort(reason => this.stop(reason));
    if (timeoutMs !== undefined) this.#timer = this.#after(timeoutMs, () => this.#expire(timeoutMs));
  }

  get cancellation(): Cancellation {
    return this.#attempt;
  }

  stop(reason: unknown): void {
    if (this.stopped || this.#ended) return;
    this.stopped = true;
    this.#attempt.abort(reason);
  }

  /** Takes back the deadline and the listener; nothing aborts any more. */
  end(): void {
    this.#ended = true;
    this.#timer?.abort(over);
    this.#stopListening?.();
  }

  /** Settles as `work` does, or rejects when the call is stopped or, if one is set, its own time is over. */
  attempt<T>(work: () => Promise<T>, timeoutMs: number | undefined): Promise<T> {
    const attempt = this.#attempt;
    if (attempt.aborted) return Promise.reject(attempt.reason);
    this.outcome = 'Unknown';
    return new Promise((resolve, reject) => {
      attempt.onAbort(reject);
      if (timeoutMs === undefined) return void work().then(resolve, reject);
      const expire = () => attempt.abort(new DeadlineError('the attempt', timeoutMs, 'Unknown'));
      const timer = this.#after(timeoutMs, expire);
      work()
        .then(resolve, reject)
        .finally(() => timer.abort(over));
    });
  }

  /** A cancellation for the next attempt; that of the one before aborts, so that what is left of it ends. */
  renew(): void {
    const before = this.#attempt;
    this.#attempt = new Cancellation();
    before.abort(over);
  }

  #expire(timeoutMs: number): void {
    this.expired = !this.stopped;
    this.stop(new DeadlineError('the request', timeoutMs, this.outcome));
  }

  #after(ms: number, act: () => void): AbortController {
    const timer = new AbortController();
    this.#clock.sleep(ms, timer.signal).then(act, () => {});
    return timer;
  }
}

/** A reason that nobody sees; making an error for each would cost. */
const over = 'over';
