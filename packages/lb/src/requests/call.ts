import {
  abortable,
  type CallOutcome,
  describe,
  InvalidOptionError,
  numberOption,
  onAbort,
} from '@ashlar/core';
import { DeadlineError } from '../errors.ts';
import type { AcquireOptions } from '../request.ts';
import type { DenseSetItem } from '../util/dense-set.ts';
import type { Timer, Timers } from '../util/timers.ts';

/** How long one call may go on: until its deadline, the abort of the caller's signal or the close of the balancer. */
export class Call implements DenseSetItem {
  index = 0;
  /** What an end from outside would mean: `Unknown` once an endpoint has had the request. */
  outcome: CallOutcome = 'NotExecuted';
  /** Whether it was ended from outside, and why. */
  stopped = false;
  reason: unknown;
  /** Whether the deadline ended it. */
  expired = false;
  /** Ends what the call waits for at the time. */
  onStop: ((reason: unknown) => void) | undefined;
  readonly #what: string;
  readonly #timer: Timer | undefined;
  readonly #unlink: (() => void) | undefined;
  #ended = false;

  /** @throws InvalidOptionError, and the signal's reason when it has aborted already */
  constructor(timers: Timers, options: AcquireOptions, what = 'the request') {
    // Not in the parameters: declarations would name what is internal
    const { timeoutMs, signal, cancellation } = options;
    if (timeoutMs !== undefined) numberOption('timeoutMs', timeoutMs, { above: 0 });
    if (signal !== undefined) checkedSignal(signal).throwIfAborted();
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

/**
 * Settles as the work does, or rejects when its time is over or the signal aborts. The work's own signal aborts at the
 * end, whatever it is; work that still goes on is left to itself.
 */
export async function withTimeout<T>(
  timers: Timers,
  options: AcquireOptions,
  what: string,
  work: (signal: AbortSignal) => Promise<T> | T,
): Promise<T> {
  const call = new Call(timers, options, what);
  const controller = new AbortController();
  const { signal } = controller;
  call.onStop = reason => controller.abort(reason);
  try {
    return await abortable((async () => work(signal))(), signal);
  } finally {
    call.end();
    controller.abort(ended);
  }
}

/** A reason that reaches no caller. */
const ended = 'ended';

function checkedSignal(signal: AbortSignal): AbortSignal {
  if (typeof signal?.throwIfAborted === 'function') return signal;
  throw new InvalidOptionError('signal', `\`signal\` must be an AbortSignal, got ${describe(signal)}`);
}
