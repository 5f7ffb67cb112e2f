import { type CallOutcome, type Clock, numberOption } from '@ashlar/core';
import { DeadlineError } from './errors.ts';
import type { AcquireOptions } from './request.ts';
import { onAbort } from './shared-signal.ts';

/**
 * How long one call may go on: until its deadline, the caller's signal or the close of the balancer. What it waits for
 * listens to `signal`, a new one for each attempt.
 */
export class Call {
  /** What an end from outside would mean: `Unknown` once an endpoint has had the request. */
  outcome: CallOutcome = 'NotExecuted';
  /** Whether it was ended from outside; `signal.reason` says why. */
  stopped = false;
  /** Whether the deadline ended it. */
  expired = false;
  readonly #clock: Clock;
  readonly #timer: AbortController | undefined;
  readonly #stopListening: (() => void) | undefined;
  #attempt: AbortController = new AbortController();

  /** @throws InvalidOptionError, and the signal's reason when it has aborted already */
  constructor(clock: Clock, { timeoutMs, signal }: AcquireOptions) {
    if (timeoutMs !== undefined) numberOption('timeoutMs', timeoutMs, { above: 0 });
    signal?.throwIfAborted();
    this.#clock = clock;
    this.#stopListening = signal && onAbort(signal, reason => this.stop(reason));
    if (timeoutMs !== undefined) this.#timer = this.#after(timeoutMs, () => this.#expire(timeoutMs));
  }

  get signal(): AbortSignal {
    return this.#attempt.signal;
  }

  stop(reason: unknown): void {
    if (this.stopped) return;
    this.stopped = true;
    this.#attempt.abort(reason);
  }

  /** Takes back the deadline and the listener; the signal stays as it is. */
  end(): void {
    this.#timer?.abort(over);
    this.#stopListening?.();
  }

  /** Settles as `work` does, or rejects when the call is stopped or, if one is set, its own time is over. */
  async attempt<T>(work: (signal: AbortSignal) => Promise<T>, timeoutMs: number | undefined): Promise<T> {
    const attempt = this.#attempt;
    this.outcome = 'Unknown';
    if (timeoutMs === undefined) return work(attempt.signal);
    const expire = () => attempt.abort(new DeadlineError('the attempt', timeoutMs, 'Unknown'));
    const timer = this.#after(timeoutMs, expire);
    try {
      return await work(attempt.signal);
    } finally {
      timer.abort(over);
    }
  }

  /** A signal for the next attempt; that of the one before aborts, so that what is left of it ends. */
  renew(): void {
    const before = this.#attempt;
    this.#attempt = new AbortController();
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
