import { durationMs, required } from '@ashlar/core';
import { after, type Schedule } from './schedule.ts';

const everyRule = required(durationMs(undefined, { min: 1 }));

/**
 * Every `everyMs` milliseconds since 1970, so that all processes have the same times, before and after a restart.
 *
 * @throws InvalidOptionError
 */
export function intervalSchedule(everyMs: number, timeZone = 'UTC'): Schedule {
  const every = Math.floor(everyRule(everyMs, 'schedule.everyMs'));
  return {
    text: `every ${every} ms`,
    timeZone,
    next: afterMs => (Math.floor(after(afterMs, 'afterMs') / every) + 1) * every,
  };
}
