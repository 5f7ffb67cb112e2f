import { describe, InvalidOptionError, nearest, refused } from '@ashlar/core';

const dayMs = 86_400_000;
/** Days whose offset is kept. */
const maxDays = 20_000;

/** From this time on, local clocks go from one offset to another. */
export interface Transition {
  readonly at: number;
  readonly before: number;
  readonly after: number;
}

/**
 * The offsets of an IANA time zone, as `Intl` has them. A civil time is what a clock on the wall shows, in milliseconds as if
 * it were UTC; an offset is that less UTC.
 */
export class Zone {
  readonly name: string;
  readonly #format: Intl.DateTimeFormat;
  readonly #days = new Map<number, number>();
  /** By their days: each look at a schedule asks for those around it. */
  readonly #transitions = new Map<number, Transition>();

  /** @throws InvalidOptionError */
  constructor(name: string, option = 'timeZone') {
    this.name = name;
    this.#format = formatOf(name, option);
  }

  /** Local time less UTC at this time, in milliseconds. */
  offsetAt(ms: number): number {
    const second = Math.floor(ms / 1_000) * 1_000;
    const [month, day, year, hour, minute, secondOfMinute] = this.#format
      .format(second)
      .match(/\d+/g)!
      .map(Number) as [number, number, number, number, number, number];
    return Date.UTC(year, month - 1, day, hour, minute, secondOfMinute) - second;
  }

  /** The first transition after `fromMs`, up to and with `untilMs`. Of two within a day, one that undoes the other, none. */
  nextTransition(fromMs: number, untilMs: number): Transition | undefined {
    for (let start = fromMs; start < untilMs; ) {
      const end = Math.min((Math.floor(start / dayMs) + 1) * dayMs, untilMs);
      const before = this.#kept(start);
      if (this.#kept(end) !== before) return this.#between(start, end, before);
      start = end;
    }
    return undefined;
  }

  /** Both times are of one day. */
  #between(start: number, end: number, before: number): Transition {
    const day = Math.floor(start / dayMs);
    const known = this.#transitions.get(day);
    if (known?.before === before && known.at > start && known.at <= end) return known;
    const found = this.#bisect(start, end, before);
    this.#transitions.set(day, found);
    return found;
  }

  #bisect(start: number, end: number, before: number): Transition {
    let low = start;
    let high = end;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.offsetAt(middle) === before) low = middle;
      else high = middle;
    }
    return { at: high, before, after: this.offsetAt(high) };
  }

  /** The offset; those of midnights are kept, as a search goes from midnight to midnight. */
  #kept(ms: number): number {
    if (ms % dayMs !== 0) return this.offsetAt(ms);
    const known = this.#days.get(ms);
    if (known !== undefined) return known;
    if (this.#days.size >= maxDays) this.#days.clear();
    const offset = this.offsetAt(ms);
    this.#days.set(ms, offset);
    return offset;
  }
}

function formatOf(name: unknown, option: string): Intl.DateTimeFormat {
  if (typeof name !== 'string' || name === '') {
    throw refused(option, 'the name of a time zone', name, "as 'Europe/Berlin' or 'UTC'");
  }
  const parts = { year: 'numeric', month: 'numeric', day: 'numeric' } as const;
  const times = { hour: 'numeric', minute: 'numeric', second: 'numeric', hourCycle: 'h23' } as const;
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name, ...parts, ...times });
  } catch (cause) {
    const meant = nearest(name, Intl.supportedValuesOf('timeZone'));
    const help = meant === undefined ? "write an IANA name, as 'Europe/Berlin'" : `did you mean '${meant}'?`;
    throw new InvalidOptionError(
      option,
      `\`${option}\` must be the name of a time zone, got ${describe(name)}; ${help}`,
      { cause },
    );
  }
}
