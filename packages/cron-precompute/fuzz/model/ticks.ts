import { jitterOf } from '../../src/schedule/jitter.ts';
import type { ScheduleSpec } from '../plan/plan.ts';

const minuteMs = 60_000;
const quarterMs = 15 * minuteMs;
const dayMs = 96 * quarterMs;

interface Transition {
  readonly at: number;
  readonly before: number;
  readonly after: number;
}

/** The offset of a zone, asked of `Intl` for each quarter of an hour: no transition is between two of them. */
class Offsets {
  readonly #format: Intl.DateTimeFormat;
  readonly #known = new Map<number, number>();
  readonly #transitions = new Map<number, Transition[]>();

  constructor(timeZone: string) {
    this.#format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
  }

  at(ms: number): number {
    const quarter = Math.floor(ms / quarterMs);
    let offset = this.#known.get(quarter);
    if (offset === undefined) {
      const { value } = this.#format
        .formatToParts(quarter * quarterMs)
        .find(({ type }) => type === 'timeZoneName')!;
      const [, sign, hours, minutes] = /GMT(?:([+-])(\d+):(\d+))?/.exec(value)!;
      offset = (sign === '-' ? -1 : 1) * (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * minuteMs;
      this.#known.set(quarter, offset);
    }
    return offset;
  }

  /** The transitions of a day of UTC, and of those beside it. */
  around(ms: number): readonly Transition[] {
    const day = Math.floor(ms / dayMs);
    return [day - 1, day, day + 1].flatMap(each => this.#of(each));
  }

  #of(day: number): readonly Transition[] {
    let found = this.#transitions.get(day);
    if (found === undefined) {
      found = [];
      for (let at = day * dayMs; at < (day + 1) * dayMs; at += quarterMs) {
        const [before, after] = [this.at(at - 1), this.at(at)];
        if (before !== after) found.push({ at, before, after });
      }
      this.#transitions.set(day, found);
    }
    return found;
  }
}

/** The ticks of a schedule, found by asking every minute, or by counting: slow, and plain. */
export class Ticks {
  readonly #spec: ScheduleSpec;
  readonly #offsets: Offsets;
  readonly #fits: (civilMs: number) => boolean;
  readonly #isFixed: boolean;
  readonly #found: number[] = [];
  #foundUpTo: number;
  #blackouts: (readonly [from: number, to: number])[] | undefined;

  constructor(spec: ScheduleSpec) {
    this.#spec = spec;
    this.#offsets = new Offsets(spec.timeZone);
    this.#fits = typeof spec.pattern === 'string' ? fitting(spec.pattern) : () => false;
    const [minute = '', hour = ''] = String(spec.pattern).split(' ');
    this.#isFixed = !/[*/]/.test(minute + hour);
    // Before the start too, as clocks may be behind
    this.#foundUpTo = Date.parse(spec.startsAt) - 60 * minuteMs;
  }

  /** After the first time, up to and with the second, in order. */
  between(fromMs: number, toMs: number): readonly number[] {
    while (this.#foundUpTo < toMs) this.#look();
    const first = this.#found.findLastIndex(tick => tick <= fromMs) + 1;
    const last = this.#found.findLastIndex(tick => tick <= toMs) + 1;
    return this.#found.slice(first, last);
  }

  /** The first after this time. There is one in a fortnight. */
  after(ms: number): number {
    for (let until = ms + quarterMs; ; until += quarterMs) {
      const [first] = this.between(ms, until);
      if (first !== undefined) return first;
    }
  }

  /** When it is launched. */
  dueAt(tick: number, job: string, jitterMs: number): number {
    return tick + jitterOf(job, tick, jitterMs === 0 ? 0 : Math.min(jitterMs, this.after(tick) - tick));
  }

  /** From the first time that local clocks show or pass the one, to the first time that they do the other. */
  isBlackedOut(ms: number): boolean {
    this.#blackouts ??= this.#spec.blackouts.map(([from, to]) => [
      this.#moment(this.#civil(from)),
      this.#moment(this.#civil(to)),
    ]);
    return this.#blackouts.some(([from, to]) => ms >= from && ms < to);
  }

  /** The first minute at which local clocks show this time, or pass it. */
  #moment(civil: number): number {
    const shownAt = (ms: number) => ms + this.#offsets.at(ms);
    let at = civil - dayMs;
    while (shownAt(at) < civil) at += minuteMs;
    return at;
  }

  /** So many minutes after the start, by local clocks that do not change. */
  #civil(minutes: number): number {
    const startMs = Date.parse(this.#spec.startsAt);
    return startMs + this.#offsets.at(startMs) + minutes * minuteMs;
  }

  /** As a blackout writes it. */
  written(minutes: number): string {
    return new Date(this.#civil(minutes)).toISOString().slice(0, 16);
  }

  /** A quarter of an hour. */
  #look(): void {
    const from = this.#foundUpTo;
    const to = from + quarterMs;
    const found = new Set<number>();
    const { pattern } = this.#spec;
    if (typeof pattern === 'number') {
      for (let n = Math.floor(from / pattern) + 1; n * pattern <= to; n++) found.add(n * pattern);
    } else {
      for (let at = (Math.floor(from / minuteMs) + 1) * minuteMs; at <= to; at += minuteMs)
        for (const tick of this.#at(at)) found.add(tick);
    }
    for (const tick of [...found].sort((a, b) => a - b)) if (!this.isBlackedOut(tick)) this.#found.push(tick);
    this.#foundUpTo = to;
  }

  /** Whether there is a tick at this minute. */
  #at(at: number): number[] {
    const change = this.#change(at);
    const regular = this.#fits(at + this.#offsets.at(at));
    if (change === undefined) return regular ? [at] : [];
    const { at: transition, before, after } = change;
    const by = after - before;
    if (by < 0) {
      const rule = this.#spec.repeatedHour ?? (this.#isFixed ? 'first' : 'both');
      const isFirst = at >= transition + by && at < transition;
      const isSecond = at >= transition && at < transition - by;
      const isOut = (isFirst && rule === 'second') || (isSecond && rule === 'first');
      return regular && !isOut ? [at] : [];
    }
    const rule = this.#spec.skippedHour ?? (this.#isFixed ? 'next' : 'skip');
    const isAfter = at >= transition && at < transition + by;
    const isShifted = isAfter && rule === 'shift' && this.#fits(at + before);
    let isNext = false;
    if (at === transition && rule === 'next') {
      for (let skipped = at + before; skipped < at + after; skipped += minuteMs)
        isNext ||= this.#fits(skipped);
    }
    return regular || isShifted || isNext ? [at] : [];
  }

  /** The transition that says something about this time. */
  #change(at: number): Transition | undefined {
    return this.#offsets.around(at).find(({ at: transition, before, after }) => {
      const by = Math.abs(after - before);
      return at >= transition - by && at < transition + by;
    });
  }
}

/** Whether a civil time fits a pattern of five fields: lists, ranges and steps of numbers. */
function fitting(pattern: string): (civilMs: number) => boolean {
  const fields = pattern.split(' ').map(setOf);
  return civil => {
    const date = new Date(civil);
    const values = [
      date.getUTCMinutes(),
      date.getUTCHours(),
      date.getUTCDate(),
      date.getUTCMonth() + 1,
      date.getUTCDay(),
    ];
    return fields.every((fits, index) => fits(values[index]!));
  };
}

function setOf(field: string): (value: number) => boolean {
  const parts = field.split(',').map(part => {
    const [range = '', step = '1'] = part.split('/');
    const [from = 0, to = from] = range === '*' ? [0, 59] : range.split('-').map(Number);
    return (value: number) => value >= from && value <= to && (value - from) % Number(step) === 0;
  });
  return value => parts.some(fits => fits(value));
}
