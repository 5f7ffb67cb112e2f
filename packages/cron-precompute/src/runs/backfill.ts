import {
  boolean,
  InvalidOptionError,
  integer,
  oneOf,
  type RulesFor,
  readOptions,
  refused,
} from '@ashlar/core';
import { type Schedule, ticksBetween } from '../schedule/schedule.ts';
import type { RunId } from './record.ts';
import { maxQueued } from './state.ts';

export interface BackfillOptions {
  /** The first time that may be a tick. */
  readonly from: Date;
  /** Ticks are before this time. */
  readonly to: Date;
  /** Default: `oldest` first. */
  readonly order?: 'oldest' | 'newest';
  /** More ticks than this are refused. Default and most: 1 000. */
  readonly max?: number;
  /** `true` launches nothing. Default: `false`. */
  readonly dryRun?: boolean;
}

/** The rule of a Date. */
export const date = (value: unknown, option: string): Date => {
  if (value instanceof Date) {
    if (!Number.isNaN(value.getTime())) return value;
    throw new InvalidOptionError(option, `\`${option}\` is an invalid Date: what it was made of is no time`);
  }
  throw refused(option, 'a Date', value, "write `new Date('2026-12-24T00:00:00Z')`");
};

const rules = {
  from: date,
  to: date,
  order: oneOf('oldest', ['oldest', 'newest']),
  max: integer(maxQueued, { min: 1, max: maxQueued }),
  dryRun: boolean(false),
} satisfies RulesFor<BackfillOptions>;

/** The runs of a range, in their order. @throws InvalidOptionError, also for more than `max` of them */
export function backfillRuns(
  schedule: Schedule,
  options: BackfillOptions,
): { runs: RunId[]; dryRun: boolean } {
  const { from, to, order, max, dryRun } = readOptions('backfill', options, rules);
  if (from > to) {
    const range = `${from.toISOString()} is after ${to.toISOString()}`;
    throw new InvalidOptionError('from', `\`from\` must not be after \`to\`: ${range}`);
  }
  const ticks = ticksBetween(schedule, from.getTime() - 1, to.getTime() - 1, max + 1);
  if (ticks.length > max) {
    throw new InvalidOptionError('to', `there are more than ${max} ticks before ${to.toISOString()}`);
  }
  if (order === 'newest') ticks.reverse();
  return { runs: ticks.map(scheduledAt => ({ scheduledAt, trigger: 'backfill' })), dryRun };
}
