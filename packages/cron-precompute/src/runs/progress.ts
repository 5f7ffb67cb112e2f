import { number, required } from '@ashlar/core';
import type { Progress } from './record.ts';

const amount = number(undefined, { min: 0, max: Number.MAX_SAFE_INTEGER });
const done = required(amount);

/**
 * How far the work is after so many milliseconds. More than the total may be done: rows come while it goes on.
 *
 * @throws InvalidOptionError for what is no number, which a record could not keep
 */
export function progressOf(isDone: number, of: number | undefined, afterMs: number): Progress {
  const count = done(isDone, 'done');
  const total = amount(of, 'total');
  const perSecond = (count * 1_000) / Math.max(1, afterMs);
  if (total === undefined) return { done: count, perSecond };
  const etaMs = Math.max(0, ((total - count) / perSecond) * 1_000);
  return { done: count, total, perSecond, ...(Number.isFinite(etaMs) ? { etaMs } : {}) };
}
