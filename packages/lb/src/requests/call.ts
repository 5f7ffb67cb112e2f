import { type CallOutcome, onAbort } from '@ashlar/core';
import { DeadlineError } from '../errors.ts';
import type { AcquireOptions } from '../request.ts';
import type { DenseSetItem } from '../util/dense-set.ts';
import type { Timer, Timers } from '../util/timers.ts';

/** One call, until its deadline, the abort of the caller's signal or the close of the balancer. */
export class Call implements DenseSetItem {
  index = 0;
  /** The outcome if it is ended from outside: `Unknown` once an endpoint has had the request. */
  outcome: CallOutcome = 'NotExecuted';
  /** Whether it was ended from outside, and why. */
  stopped = false;
  reason: unknown;
  /** Whether the deadline ended it. */
  expired = false;
  /** Ends what the call waits for. */
  onStop: ((reason: unknown) => void) | undefined;
  readonly #what: string;
  readonly #timer: Timer | undefined;
  readonly #unlink: (() => void) | undefined;
  #ended = false;

  /** @throws the signal's reason when it has aborted already */
  constructor(timers: Timers, options: AcquireOptions, what = 'the request') {
    // Not in the parameters: the declarations would show the internal option
    const { timeoutMs, signal, cancellation } = options;
    signal?.throwIfAborted();
    if (cancellation?.aborted) throw cancellation.reason;
    this.#what = what;
    if (signal !== undefined) this.#unlink = onAbort(signal, reason => this.stop(reason));
    cancellation?.onAbort(reason => this.stop(reason));
    if (timeoutMs !== undefined) this.#timer = timers.start(timeoutMs, () => this.#expire(timeoutMs));
  }

  stop(reason: unknown): void {
    if (this.stopped || this.#ended) return;
    this.stopped = true;
    this.reason = reason;
    this.onStop?.(reason);
  }

  /** Releases the timer and the listener. */
  end(): void {
    this.#ended = true;
    this.onStop = undefined;
    this.#timer?.stop();
    this.#unlink?.();
  }

  #expire(timeoutMs: number): void {
    this.expired = !this.stopped;
    this.stop(new DeadlineError(this.#what, timeoutMs, this.outcome));
  }
}
