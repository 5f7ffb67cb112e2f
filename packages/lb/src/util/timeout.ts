import { type Clock, onAbort, withDeadline } from '@ashlar/core';
import { DeadlineError } from '../errors.ts';

export interface TimeoutOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Ends the work early, with the signal's reason. */
  readonly signal: AbortSignal;
  /** What took too long, as the DeadlineError calls it: `the check`. */
  readonly what: string;
}

/**
 * As `withDeadline` of core. The signal of the work aborts after a success too, which frees what the work left open, such as
 * a response whose body was not read.
 */
export async function withTimeout<T>(
  { clock, timeoutMs, signal, what }: TimeoutOptions,
  work: (signal: AbortSignal) => Promise<T> | T,
): Promise<T> {
  const over = new AbortController();
  const late = () => new DeadlineError(what, timeoutMs, 'Unknown');
  try {
    return await withDeadline({ clock, timeoutMs, signal, late }, stop => {
      onAbort(stop, reason => over.abort(reason));
      return work(over.signal);
    });
  } finally {
    over.abort(ended);
  }
}

/** A reason that reaches no caller. */
const ended = 'ended';
