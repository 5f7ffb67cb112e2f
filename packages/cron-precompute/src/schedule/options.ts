import { type Checked, durationMs, oneOf, type Rule, readOptions, refused } from '@ashlar/core';
import { type Blackout, withoutBlackouts } from './blackout.ts';
import { cronSchedule, type DaylightOptions } from './cron-schedule.ts';
import { intervalSchedule } from './interval-schedule.ts';
import { type Misfire, type MisfireOptions, misfire } from './misfire.ts';
import type { Schedule } from './schedule.ts';
import { Zone } from './zone.ts';

/** A cron pattern of five to seven fields, or an interval in milliseconds. */
export type When = string | { readonly everyMs: number };

/** What a tick does while a run before it is not finished. */
export type Overlap = 'forbid' | 'queue' | 'replace' | 'allow';

export interface ScheduleOptions extends DaylightOptions {
  readonly schedule: When;
  /** The IANA zone of the pattern and the blackouts. Default: `UTC`. */
  readonly timeZone?: string;
  /** Default: none. */
  readonly blackouts?: readonly Blackout[];
  /**
   * Ticks are launched up to this much later, but before the next one, each job's and tick's own part of it, in milliseconds.
   * Default: 0.
   */
  readonly jitterMs?: number;
  /** Default: `once`. */
  readonly misfire?: MisfireOptions | NonNullable<MisfireOptions['rule']>;
  /**
   * `forbid`: it is not launched. `queue`: it waits. `replace`: it ends the run before it, and waits until that has ended.
   * `allow`: both run. Default: `forbid`.
   */
  readonly overlap?: Overlap;
}

const blackouts = (value: unknown, option: string): readonly Blackout[] => {
  if (value === undefined || Array.isArray(value)) return value ?? [];
  throw refused(option, 'an array', value);
};
/** What only `scheduleOf` can check, with the others. */
const unchecked: Rule<never> = value => value as never;

type ScheduleRules = {
  readonly schedule: Rule<When>;
  readonly timeZone: Rule<string | undefined>;
  readonly skippedHour: Rule<DaylightOptions['skippedHour']>;
  readonly repeatedHour: Rule<DaylightOptions['repeatedHour']>;
  readonly blackouts: Rule<readonly Blackout[]>;
  readonly jitterMs: Rule<number>;
  readonly misfire: Rule<Misfire>;
  readonly overlap: Rule<Overlap>;
};

/** The rules of the options of a schedule; `scheduleOf` checks those that need one another. */
export const scheduleRules: ScheduleRules = {
  schedule: unchecked,
  timeZone: unchecked,
  skippedHour: unchecked,
  repeatedHour: unchecked,
  blackouts,
  jitterMs: durationMs(0),
  misfire,
  overlap: oneOf('forbid', ['forbid', 'queue', 'replace', 'allow']),
};

/** The schedule that checked options describe. @throws InvalidOptionError, also when it never comes */
export function scheduleOf(options: Checked<ScheduleRules>): Schedule {
  const { schedule, timeZone = 'UTC', skippedHour, repeatedHour, blackouts } = options;
  const zone = new Zone(timeZone).name;
  const daylight = {
    ...(skippedHour === undefined ? {} : { skippedHour }),
    ...(repeatedHour === undefined ? {} : { repeatedHour }),
  };
  const plain =
    typeof schedule === 'object' && schedule !== null
      ? intervalSchedule(
          readOptions('`schedule`', schedule, { everyMs: unchecked }, 'schedule.').everyMs,
          zone,
        )
      : cronSchedule(schedule, { timeZone: zone, ...daylight });
  return withoutBlackouts(plain, blackouts);
}
