import type { Clock } from '@ashlar/core';
import { HandlerTimeoutError } from '../errors.ts';
import type { Running } from './context.ts';

export interface CallLimits {
  readonly clock: Clock;
  readonly timeoutMs: number | undefined;
}

/** Calls within the time limit; when that is over, the messages are aborted. */
export function called<T>(
  batch: readonly Running[],
  { clock, timeoutMs }: CallLimits,
  work: () => T,
): Promise<Awaited<T>> {
  const result = awaited(work);
  if (timeoutMs === undefined) return result;
  const timer = new AbortController();
  const expired = () => {
    for (const running of batch) running.abort(new HandlerTimeoutError(running.topic, timeoutMs));
  };
  clock.sleep(timeoutMs, timer.signal).then(expired, () => {});
  result.catch(() => {}).finally(() => timer.abort());
  return result;
}

/** What it gives or throws at once, as a promise. */
function awaited<T>(work: () => T): Promise<Awaited<T>> {
  try {
    return Promise.resolve(work()) as Promise<Awaited<T>>;
  } catch (error) {
    return Promise.reject(error);
  }
}
