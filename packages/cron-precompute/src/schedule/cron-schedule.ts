import {
  describe,
  InvalidOptionError,
  number,
  oneOf,
  type Rule,
  readOptions,
  refused,
  required,
} from '@ashlar/core';
import { Cron, CronPattern } from 'croner';
import type { Schedule } from './schedule.ts';
import { type Transition, Zone } from './zone.ts';

/** What becomes of times that local clocks skip or show twice, when daylight saving time begins or ends. */
export interface DaylightOptions {
  /**
   * A time that clocks skip. `next`: at the moment of the change, once however many are skipped. `shift`: as much later as
   * the clocks go forward, so 02:30 becomes 03:30. `skip`: not at all. Default: `next` for a fixed time, else `skip`.
   */
  readonly skippedHour?: 'next' | 'shift' | 'skip';
  /** A time that clocks show twice: its `first` or `second` one, or `both`. Default: `first` for a fixed time, else `both`. */
  readonly repeatedHour?: 'first' | 'second' | 'both';
}

/** How far before and after a time a transition may be that says something about it; the greatest one is a day long. */
const aroundMs = 172_800_000;

/** Characters of croner's reason, which quotes the pattern. */
const longestWhy = 300;

/** A time of the years that croner counts through: from 100 to 9999, in any zone. */
const asked = required(number(undefined, { min: -59_011_459_200_000, max: 253_402_473_600_000 }));

const zone: Rule<Zone> = (value = 'UTC', option) => new Zone(value as string, option);

const rules = {
  timeZone: zone,
  skippedHour: oneOf(undefined, ['next', 'shift', 'skip']),
  repeatedHour: oneOf(undefined, ['first', 'second', 'both']),
};

/**
 * The times of a cron pattern in a time zone. The pattern has five fields, six with seconds, or seven with years, as croner
 * reads them: `*`, lists, ranges, steps, names, `L`, `W`, `#`, and `@daily` and its like.
 *
 * A pattern is a fixed time when its hour, minute and second have neither `*` nor a step: `30 2 * * *` is wanted once a day,
 * whatever the clocks do. Other patterns follow the time that passes. This is what Vixie cron does, and `skippedHour` and
 * `repeatedHour` choose otherwise.
 *
 * @throws InvalidOptionError for a pattern that cannot be read or never comes, and for an unknown time zone
 */
export function cronSchedule(
  pattern: string,
  options: DaylightOptions & { readonly timeZone?: string } = {},
): Schedule {
  const { timeZone, skippedHour, repeatedHour } = readOptions('cronSchedule', options, rules);
  const isFixed = read(pattern).isFixedTime;
  return new CronSchedule(
    pattern,
    timeZone,
    skippedHour ?? (isFixed ? 'next' : 'skip'),
    repeatedHour ?? (isFixed ? 'first' : 'both'),
  );
}

class CronSchedule implements Schedule {
  readonly text: string;
  readonly #zone: Zone;
  readonly #cron: Cron;
  readonly #skippedHour: NonNullable<DaylightOptions['skippedHour']>;
  readonly #repeatedHour: NonNullable<DaylightOptions['repeatedHour']>;
  /** What was found last: no civil time between `after` and `fits` fits. */
  #known: { readonly after: number; readonly fits: number } | undefined;

  constructor(
    pattern: string,
    zone: Zone,
    skippedHour: NonNullable<DaylightOptions['skippedHour']>,
    repeatedHour: NonNullable<DaylightOptions['repeatedHour']>,
  ) {
    this.text = `${pattern} ${zone.name} ${skippedHour}/${repeatedHour}`;
    this.#zone = zone;
    // In UTC no time is skipped or repeated, so that croner only says which civil times fit the pattern
    this.#cron = new Cron(pattern, { paused: true, utcOffset: 0 });
    this.#skippedHour = skippedHour;
    this.#repeatedHour = repeatedHour;
  }

  get timeZone(): string {
    return this.#zone.name;
  }

  next(afterMs: number): number | undefined {
    const zone = this.#zone;
    let from = Math.floor(asked(afterMs, 'afterMs'));
    let begun = lastTransition(zone, from);
    // From one transition to the next, local time is UTC and an offset
    for (;;) {
      const first = this.#first(from, begun?.after ?? zone.offsetAt(from), begun);
      const isFar = first !== undefined && first - from > 4 * aroundMs;
      const seen = isFar ? from : (first ?? from);
      const ends = zone.nextTransition(Math.max(from, begun?.at ?? from), seen + aroundMs);
      if (ends !== undefined) {
        if (first !== undefined && first < this.#lastedUntil(ends)) return first;
        begun = ends;
        from = ends.at - 1;
      } else if (isFar) {
        // Whatever the offsets of the days between, no local time of theirs fits: there may be thousands of years of them
        from = first - aroundMs;
        begun = lastTransition(zone, from);
      } else return first;
    }
  }

  /** The first time after `from` at this offset, of regular times and of those that the transition has skipped. */
  #first(from: number, offset: number, begun: Transition | undefined): number | undefined {
    const regular = this.#regular(from, offset, begun);
    const skipped = this.#skipped(from, begun);
    return skipped === undefined || (regular !== undefined && regular < skipped) ? regular : skipped;
  }

  /** Where the times before a transition end: with `second`, before those that come again. */
  #lastedUntil({ at, before, after }: Transition): number {
    return this.#repeatedHour === 'second' ? at + Math.min(0, after - before) : at;
  }

  /** With `first`, without those that came before the transition. */
  #regular(from: number, offset: number, begun: Transition | undefined): number | undefined {
    const isAgain = begun !== undefined && this.#repeatedHour === 'first';
    const civil = isAgain ? Math.max(from + offset, begun.at + begun.before - 1) : from + offset;
    const fits = this.#fitsAfter(civil);
    return fits === undefined ? undefined : fits - offset;
  }

  #skipped(from: number, begun: Transition | undefined): number | undefined {
    if (begun === undefined || begun.after <= begun.before || this.#skippedHour === 'skip') return undefined;
    const { at, before, after } = begun;
    const isShifted = this.#skippedHour === 'shift';
    if (!isShifted && from >= at) return undefined;
    const fits = this.#fitsAfter(Math.max(isShifted ? from + before : -Infinity, at + before - 1));
    if (fits === undefined || fits >= at + after) return undefined;
    return isShifted ? fits - before : at;
  }

  /** The first civil time after this one that fits the pattern: always later, whatever croner returns. */
  #fitsAfter(civil: number): number | undefined {
    const known = this.#known;
    if (known !== undefined && civil >= known.after && civil < known.fits) return known.fits;
    for (let from = civil; ; from += 1_000) {
      const fits = this.#cron.nextRun(new Date(from))?.getTime();
      if (fits === undefined) return undefined;
      if (fits <= civil) continue;
      this.#known = { after: civil, fits };
      return fits;
    }
  }
}

/** The transition at or before this time that still matters for it. */
function lastTransition(zone: Zone, ms: number): Transition | undefined {
  let last: Transition | undefined;
  for (let at = ms - aroundMs; ; at = last.at) {
    const found = zone.nextTransition(at, ms);
    if (found === undefined) return last;
    last = found;
  }
}

function read(pattern: unknown): CronPattern {
  if (typeof pattern !== 'string') {
    throw refused('schedule', 'a cron pattern', pattern, "as '0 3 * * *', or `{ everyMs: 60_000 }`");
  }
  try {
    const parsed = new CronPattern(pattern, undefined, { fixedTimeRule: 'no-wildcard' });
    if (new Cron(pattern, { paused: true, utcOffset: 0 }).nextRun(new Date(0)) !== null) return parsed;
  } catch (cause) {
    const why = (cause as Error).message.replace(/^CronPattern: /, '').slice(0, longestWhy);
    const text = `\`schedule\` must be a cron pattern, got ${describe(pattern)}: ${why}`;
    throw new InvalidOptionError('schedule', text, { cause });
  }
  throw new InvalidOptionError(
    'schedule',
    `\`schedule\` ${describe(pattern)} never comes: no date fits the pattern`,
  );
}
