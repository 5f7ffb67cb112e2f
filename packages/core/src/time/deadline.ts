import { checkMs, refused } from '../options/refused.ts';
import { type Clock, systemClock, timeUp } from './clock.ts';
import { onAbort } from './shared-signal.ts';

export interface DeadlineOptions {
  /** Milliseconds; `Infinity` is no limit. Default: no limit. */
  readonly timeoutMs?: number | undefined;
  /** Ends the work early, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Measures `timeoutMs`. Default: the machine's clock, which keeps the process alive. */
  readonly clock?: Clock | undefined;
  /** The error that the call rejects with when its time is over. */
  late(): Error;
}

/**
 * Settles as `work` does, or rejects as soon as its time is over or the signal aborts. Then the signal that the work
 * was given aborts with the same reason, before the call rejects. The work itself cannot be stopped: what it settles to
 * after that is dropped, also an error. An answer that has arrived while the event loop stood still is in time. Leaves no
 * timer and no listener. Rejects with InvalidOptionError for a `timeoutMs` that is no number, and without `late`.
 */
export function withDeadline<T>(
  options: DeadlineOptions,
  work: (signal: AbortSignal) => PromiseLike<T> | T,
): Promise<T> {
  const { timeoutMs, signal, clock = systemClock, late } = options;
  return new Promise((resolve, reject) => {
    if (timeoutMs !== undefined) checkMs(timeoutMs, 'timeoutMs');
    if (typeof late !== 'function') throw refused('late', 'a function', late);
    if (signal?.aborted) return reject(signal.reason);
    const stop = new AbortController();
    const timer = new AbortController();
    const release = () => {
      unlink?.();
      timer.abort(settled);
    };
    const end = (reason: unknown) => {
      release();
      stop.abort(reason);
      reject(reason);
    };
    const unlink = signal && onAbort(signal, end);
    if (timeoutMs !== undefined && timeoutMs !== Number.POSITIVE_INFINITY) {
      const expired = timeUp(clock, timeoutMs, timer.signal).then(late);
      expired.then(end, error => {
        if (!timer.signal.aborted) end(error); // `late` or the clock has thrown
      });
    }
    // In an async function, so that a synchronous throw rejects too
    const result = (async () => work(stop.signal))();
    result.finally(release).then(resolve, reject);
  });
}

/** A reason that ends the sleep of a timer and reaches no caller; an `Error` for each would cost a stack. */
const settled = 'settled';
