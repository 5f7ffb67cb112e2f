import { InvalidOptionError, objectWith, type Rule, readOptions, refused } from '@ashlar/core';
import { cronSchedule } from '../schedule/cron-schedule.ts';
import type { Schedule } from '../schedule/schedule.ts';
import type { WorkWindow } from './window.ts';

/** The hours of a day in which runs may work, in the zone of the schedule: from `'01:00'` to `'06:00'`, or over midnight. */
export interface WindowOptions {
  readonly from: string;
  readonly to: string;
}

const time: (value: unknown, option: string) => string = (value, option) => {
  if (typeof value === 'string' && /^([01]\d|2[0-3]):[0-5]\d$/.test(value)) return value;
  throw refused(option, "a time of the day, as '01:00'", value);
};

/** When runs may work. Pure. A time that clocks skip is that of the change; one that they show twice is the first. */
export class HourWindow implements WorkWindow {
  readonly #opens: Schedule;
  readonly #closes: Schedule;

  /** @throws InvalidOptionError, also for a window that never opens */
  constructor(options: WindowOptions, timeZone: string, option = 'window') {
    const { from, to } = readOptions(`\`${option}\``, options, { from: time, to: time }, `${option}.`);
    if (from === to)
      throw new InvalidOptionError(option, `\`${option}\` never opens: it ends when it begins`);
    this.#opens = daily(from, timeZone);
    this.#closes = daily(to, timeZone);
  }

  /** At the minute that it opens it is open, at the minute that it closes it is not. */
  isOpen(ms: number): boolean {
    return this.closesAt(ms) < this.opensAt(ms);
  }

  /** The next time that it opens, after this one. */
  opensAt(ms: number): number {
    return this.#opens.next(ms)!;
  }

  /** The next time that it closes, after this one. */
  closesAt(ms: number): number {
    return this.#closes.next(ms)!;
  }
}

const anyWindow = objectWith<WorkWindow>(['isOpen', 'opensAt', 'closesAt']);

/** The rule of `window`. Hours are checked where their zone is known. */
export const window: Rule<WorkWindow | WindowOptions | undefined> = (value, option) => {
  const isHours = typeof value === 'object' && value !== null && !('isOpen' in value);
  return isHours || typeof value === 'string' ? (value as WindowOptions) : anyWindow(value, option);
};

function daily(at: string, timeZone: string): Schedule {
  const [hour, minute] = at.split(':').map(Number);
  return cronSchedule(`${minute} ${hour} * * *`, { timeZone });
}
