import { number, type Rule, required } from '@ashlar/core';

/** Times at which something is to happen. Pure: it knows no clock. */
export interface Schedule {
  /** As it was written, with its time zone: two that have the same text have the same times. */
  readonly text: string;
  /** The IANA zone of its patterns and of its blackouts. */
  readonly timeZone: string;
  /**
   * The first time after this one, both in milliseconds since 1970; `undefined` when there is none. Always greater than
   * what was given. Those of this package throw InvalidOptionError for what is no finite number.
   */
  next(afterMs: number): number | undefined;
}

/** The rule of the time that `next` is given. @throws InvalidOptionError */
export const after: Rule<number> = required(number());

/** The times after `fromMs` up to and with `toMs`, in order, at most `limit` of them. */
export function ticksBetween(schedule: Schedule, fromMs: number, toMs: number, limit: number): number[] {
  const ticks: number[] = [];
  for (let at = schedule.next(fromMs); at !== undefined && at <= toMs; at = schedule.next(at)) {
    if (ticks.length === limit) break;
    ticks.push(at);
  }
  return ticks;
}

/** The last times up to and with `toMs`, but after `fromMs`, in order, at most `count` of them. */
export function lastTicks(schedule: Schedule, fromMs: number, toMs: number, count: number): number[] {
  for (let backMs = 60_000; ; backMs *= 2) {
    const sinceMs = Math.max(fromMs, toMs - backMs);
    const ticks = ticksBetween(schedule, sinceMs, toMs, Number.POSITIVE_INFINITY);
    if (ticks.length >= count || sinceMs === fromMs) return ticks.slice(-count);
  }
}
