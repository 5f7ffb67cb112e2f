import { InvalidOptionError, refused } from '@ashlar/core';
import type { Schedule } from './schedule.ts';
import { Zone } from './zone.ts';

/**
 * When nothing is launched: from one local date or time to another, in the zone of the schedule, as `'2026-12-24'` or
 * `'2026-12-24T18:00'`. A date as `to` includes that day, a time as `to` is excluded. A time that local clocks show twice is
 * the first, one that they skip is that of the change. Or a function that says so of a time.
 */
export type Blackout = { readonly from: string; readonly to: string } | ((scheduledAt: Date) => boolean);

/** A function is asked about so many ticks at once; then there is no next one until it is asked again, about some more. */
const maxAsked = 2_000;
const someMore = 200;
const dayMs = 86_400_000;
const written = /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2}))?$/;

/** From one time to another: as local clocks show them, or in milliseconds since 1970. */
interface Period {
  readonly from: number;
  readonly to: number;
}

/** The schedule without the times of the blackouts. @throws InvalidOptionError */
export function withoutBlackouts(schedule: Schedule, blackouts: readonly Blackout[]): Schedule {
  if (blackouts.length === 0) return schedule;
  const { text, timeZone } = schedule;
  const zone = new Zone(timeZone);
  const isFunction = (each: Blackout) => typeof each === 'function';
  const tests = blackouts.filter(isFunction);
  const periods = blackouts.flatMap((each, index) => {
    if (isFunction(each)) return [];
    const { from, to } = periodOf(each, `blackouts[${index}]`);
    return { from: firstShown(from, zone), to: firstShown(to, zone) };
  });
  /** Where the function has said so of all ticks that it was asked about. */
  let out: Period | undefined;
  const next = (afterMs: number): number | undefined => {
    const isKnown = out !== undefined && afterMs >= out.from && afterMs < out.to;
    let at = schedule.next(isKnown ? out!.to : afterMs);
    let left = isKnown ? someMore : maxAsked;
    while (at !== undefined) {
      const ms = at;
      const period = periods.find(({ from, to }) => ms >= from && ms < to);
      if (period !== undefined) {
        at = schedule.next(period.to - 1);
      } else if (tests.some(test => test(new Date(ms)))) {
        left--;
        if (left === 0) {
          out = { from: isKnown ? out!.from : afterMs, to: at };
          return undefined;
        }
        at = schedule.next(at);
      } else return at;
    }
    return undefined;
  };
  return { text, timeZone, next };
}

/** When local clocks first show this civil time; when they skip it, the time of that change. */
function firstShown(civil: number, zone: Zone): number {
  const offsets = [-dayMs, 0, dayMs].map(ms => zone.offsetAt(civil + ms));
  const shown = offsets.map(offset => civil - offset).filter(ms => ms + zone.offsetAt(ms) === civil);
  if (shown.length > 0) return Math.min(...shown);
  return zone.nextTransition(civil - Math.max(...offsets) - 1, civil - Math.min(...offsets))!.at;
}

function periodOf(blackout: { readonly from: string; readonly to: string }, option: string): Period {
  if (typeof blackout !== 'object' || blackout === null) {
    throw refused(option, 'an object with from and to, or a function', blackout);
  }
  const from = civilOf(blackout.from, `${option}.from`).ms;
  const { ms, isDate } = civilOf(blackout.to, `${option}.to`);
  const to = isDate ? ms + dayMs : ms;
  if (to <= from) {
    throw new InvalidOptionError(option, `\`${option}\` ends at ${blackout.to}, before it begins`);
  }
  return { from, to };
}

function civilOf(text: unknown, option: string): { ms: number; isDate: boolean } {
  const parts = typeof text === 'string' ? written.exec(text) : null;
  const [year, month, day, hour, minute] = (parts ?? []).slice(1).map(part => Number(part ?? 0));
  const ms = Date.UTC(year!, month! - 1, day, hour, minute);
  // Also refuses February 30, which would be March 2
  if (parts !== null && new Date(ms).toISOString().startsWith(parts[0])) {
    return { ms, isDate: parts[4] === undefined };
  }
  throw refused(option, "a date, as '2026-12-24', or a time, as '2026-12-24T18:00'", text);
}
