import { type CallOutcome, describe, InvalidOptionError, numberOption, onAbort } from '@ashlar/core';
import { DeadlineError } from '../errors.ts';
import type { AcquireOptions } from '../request.ts';
import type { Placed } from '../util/dense-set.ts';
import type { Timer, Timers } from '../util/timers.ts';

/** How long one call may go on: until its deadline, the caller's signal or the close of the balancer. */
export class Call implements Placed {
  place = 0;
  /** What an end from outside would mean: `Unknown` once an endpoint has had the request. */
  outcome: CallOutcome = 'NotExecuted';
  /** Whether it was ended from outside, and why. */
  stopped = false;
  reason: unknown;
  /** Whether the deadline ended it. */
  expired = false;
  /** What is to be told when it is stopped: whoever it waits for at the time. */
  onStop: ((reason: unknown) => void) | undefined;
  readonly #what: string;
  readonly #timer: Timer | undefined;
  readonly #stopListening: (() => void) | undefined;
  #ended = false;

  /** @throws InvalidOptionError, and the signal's reason when it has aborted already */
  constructor(timers: Timers, options: AcquireOptions, what = 'the request') {
    // Not in the parameters: declarations would name what is internal
    const { timeoutMs, signal, cancellation } = options;
    if (timeoutMs !== undefined) numberOption('timeoutMs', timeoutMs, { above: 0 });
    if (signal !== undefined) checkedSignal(signal).throwIfAborted();
    if (cancellation?.aborted) throw cancellation.reason;
    this.#what = what;
    if (signal !== undefined) this.#stopListening = onAbort(signal, reason => this.stop(reason));
    cancellation?.onAbort(reason => this.stop(reason));
    if (timeoutMs !== undefined) this.#timer = timers.start(timeoutMs, () => this.#expire(timeoutMs));
  }

  stop(reason: unknown): void {
    if (this.stopped || this.#ended) return;
    this.stopped = true;
    this.reason = reason;
    this.onStop?.(reason);
  }

  /** Takes back the deadline and the listener. */
  end(): void {
    this.#ended = true;
    this.onStop = undefined;
    this.#timer?.stop();
    this.#stopListening?.();
  }

  #expire(timeoutMs: number): void {
    this.expired = !this.stopped;
    this.stop(new DeadlineError(this.#what, timeoutMs, this.outcome));
  }
}

function checkedSignal(signal: AbortSignal): AbortSignal {
  if (typeof signal?.throwIfAborted === 'function') return signal;
  throw new InvalidOptionError('signal', `\`signal\` must be an AbortSignal, got ${describe(signal)}`);
}
