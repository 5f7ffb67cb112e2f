import { durationMs, integer, oneOf, type RulesFor, readOptions } from '@ashlar/core';
import { lastTicks, type Schedule, ticksBetween } from './schedule.ts';

/** What becomes of ticks that came while no process could launch them. */
export interface MisfireOptions {
  /**
   * `skip`: only a tick that is at most `graceMs` late is launched. `once`: one run for all of them, for the latest tick.
   * `all`: each of them in its order, but at most the latest `max`. Default: `once`.
   */
  readonly rule?: 'skip' | 'once' | 'all';
  /** With `all`: the most of them. Default: 100. */
  readonly max?: number;
  /** With `skip`: how late a tick may be, in milliseconds. Default: 60 000. */
  readonly graceMs?: number;
  /** A tick that is later than this is not launched by any rule, in milliseconds. Default: no limit. */
  readonly deadlineMs?: number;
}

const rules = {
  rule: oneOf('once', ['skip', 'once', 'all']),
  max: integer(100, { min: 1, max: 1_000 }),
  graceMs: durationMs(60_000),
  deadlineMs: durationMs(Number.POSITIVE_INFINITY, { above: 0, endless: true }),
} satisfies RulesFor<MisfireOptions>;

export type Misfire = Required<MisfireOptions>;

/** The rule of `misfire`: an object, or the name of the rule alone. */
export function misfire(value: unknown, option: string): Misfire {
  const options = typeof value === 'string' ? { rule: value } : (value ?? {});
  return readOptions(`\`${option}\``, options, rules, `${option}.`);
}

export interface DueTicks {
  /** To be launched, in order. */
  readonly launch: readonly number[];
  /** How many were not, by the rule. At most 1 000 are counted at once. */
  readonly missed: number;
  /** The last tick that this is about. */
  readonly upTo: number;
}

/** More ticks than these are not looked at one by one. */
const maxCounted = 1_000;

/**
 * The ticks after `watermark` whose time has come, each `delayOf` later than it says; `undefined` when there is none. The delay of a
 * tick ends before the next one.
 */
export function dueTicks(
  schedule: Schedule,
  watermark: number,
  nowMs: number,
  { rule, max, graceMs, deadlineMs }: Misfire,
  delayOf: (tick: number) => number = () => 0,
): DueTicks | undefined {
  const isDue = (tick: number) => tick + delayOf(tick) <= nowMs;
  const counted = ticksBetween(schedule, watermark, nowMs, maxCounted).filter(isDue);
  if (counted.length === 0) return undefined;
  const wanted = rule === 'all' ? max : 1;
  const latest =
    counted.length < maxCounted ? counted : lastTicks(schedule, watermark, nowMs, maxCounted).filter(isDue);
  const lateMs = rule === 'skip' ? Math.min(graceMs, deadlineMs) : deadlineMs;
  const launch = latest.slice(-wanted).filter(tick => nowMs - tick - delayOf(tick) <= lateMs);
  const last = latest.at(-1) ?? counted.at(-1)!;
  return { launch, missed: counted.length - launch.length, upTo: last };
}
