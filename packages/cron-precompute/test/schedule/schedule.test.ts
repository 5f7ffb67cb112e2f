import { InvalidOptionError } from '@ashlar/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withoutBlackouts } from '../../src/schedule/blackout.ts';
import { cronSchedule, type DaylightOptions } from '../../src/schedule/cron-schedule.ts';
import { intervalSchedule } from '../../src/schedule/interval-schedule.ts';
import { jitterOf } from '../../src/schedule/jitter.ts';
import { ticksBetween } from '../../src/schedule/schedule.ts';
import { Zone } from '../../src/schedule/zone.ts';

const hourMs = 3_600_000;

/** All ticks of some hours, as UTC without what is the same in all. */
function ticks(
  pattern: string,
  from: string,
  hours: number,
  options: DaylightOptions = {},
  timeZone = 'America/New_York',
) {
  const start = Date.parse(from);
  const schedule = cronSchedule(pattern, { timeZone, ...options });
  return ticksBetween(schedule, start - 1, start + hours * hourMs - 1, 10_000).map(at =>
    new Date(at).toISOString().replace(':00.000Z', '').slice(5),
  );
}

// New York: on 2026-03-08 at 07:00 UTC, 02:00 becomes 03:00; on 2026-11-01 at 06:00 UTC, 02:00 becomes 01:00
describe('the hour that clocks skip', () => {
  const day = (pattern: string, options?: DaylightOptions) =>
    ticks(pattern, '2026-03-08T05:00:00Z', 4, options);

  it.each([
    ['30 2 * * *', undefined, ['03-08T07:00']],
    ['30 2 * * *', 'next', ['03-08T07:00']],
    ['30 2 * * *', 'shift', ['03-08T07:30']],
    ['30 2 * * *', 'skip', []],
    ['0,30 2 * * *', 'next', ['03-08T07:00']],
    ['0,30 2 * * *', 'shift', ['03-08T07:00', '03-08T07:30']],
    ['0 2,3 * * *', 'next', ['03-08T07:00']],
    ['0 2,3 * * *', 'shift', ['03-08T07:00']],
    ['0 * * * *', undefined, ['03-08T05:00', '03-08T06:00', '03-08T07:00', '03-08T08:00']],
    ['*/30 2 * * *', undefined, []],
    ['*/30 2 * * *', 'shift', ['03-08T07:00', '03-08T07:30']],
    ['30 * * * *', 'shift', ['03-08T05:30', '03-08T06:30', '03-08T07:30', '03-08T08:30']],
  ] as const)('%s with %s', (pattern, skippedHour, expected) => {
    expect(day(pattern, skippedHour === undefined ? {} : { skippedHour })).toEqual(expected);
  });

  it('goes on the next day as ever', () => {
    expect(ticks('30 2 * * *', '2026-03-07T00:00:00Z', 72)).toEqual([
      '03-07T07:30',
      '03-08T07:00',
      '03-09T06:30',
    ]);
  });
});

describe('the hour that clocks show twice', () => {
  const day = (pattern: string, options?: DaylightOptions) =>
    ticks(pattern, '2026-11-01T04:00:00Z', 4, options);

  it.each([
    ['30 1 * * *', undefined, ['11-01T05:30']],
    ['30 1 * * *', 'first', ['11-01T05:30']],
    ['30 1 * * *', 'second', ['11-01T06:30']],
    ['30 1 * * *', 'both', ['11-01T05:30', '11-01T06:30']],
    ['0 1,2 * * *', undefined, ['11-01T05:00', '11-01T07:00']],
    ['0 * * * *', undefined, ['11-01T04:00', '11-01T05:00', '11-01T06:00', '11-01T07:00']],
    ['0 * * * *', 'first', ['11-01T04:00', '11-01T05:00', '11-01T07:00']],
    ['0 * * * *', 'second', ['11-01T04:00', '11-01T06:00', '11-01T07:00']],
    ['*/30 1 * * *', undefined, ['11-01T05:00', '11-01T05:30', '11-01T06:00', '11-01T06:30']],
  ] as const)('%s with %s', (pattern, repeatedHour, expected) => {
    expect(day(pattern, repeatedHour === undefined ? {} : { repeatedHour })).toEqual(expected);
  });

  // croner#343: half a minute is lost when clocks go back
  it.each([
    ['America/New_York', '2026-11-01T06:00:00Z'],
    ['Europe/Berlin', '2026-10-25T01:00:00Z'],
    ['Australia/Lord_Howe', '2026-04-04T15:00:00Z'],
  ])('every 30 seconds has no hole in %s', (timeZone, change) => {
    const start = Date.parse(change) - hourMs;
    const schedule = cronSchedule('*/30 * * * * *', { timeZone });
    const found = ticksBetween(schedule, start - 1, start + 2 * hourMs, 1_000);
    expect(found).toEqual(Array.from({ length: 241 }, (_, index) => start + index * 30_000));
  });
});

describe('zones', () => {
  it('half an hour is skipped and repeated in Lord Howe', () => {
    const zone = 'Australia/Lord_Howe';
    expect(ticks('15 2 * * *', '2026-10-03T13:00:00Z', 24, {}, zone)).toEqual(['10-03T15:30']);
    expect(ticks('45 1 * * *', '2026-04-04T13:00:00Z', 24, {}, zone)).toEqual(['04-04T14:45']);
    expect(ticks('45 1 * * *', '2026-04-04T13:00:00Z', 24, { repeatedHour: 'both' }, zone)).toEqual([
      '04-04T14:45',
      '04-04T15:15',
    ]);
  });

  it('a whole day is skipped in Samoa', () => {
    const samoa = (skippedHour: 'next' | 'shift' | 'skip') =>
      ticks('0 12 * * *', '2011-12-29T12:00:00Z', 48, { skippedHour }, 'Pacific/Apia');
    expect(samoa('skip')).toEqual(['12-29T22:00', '12-30T22:00']);
    expect(samoa('next')).toEqual(['12-29T22:00', '12-30T10:00', '12-30T22:00']);
  });

  it('has a change at midnight, which is skipped', () => {
    // Cairo: on 2026-04-24 at 00:00, it becomes 01:00
    expect(ticks('0 0 * * *', '2026-04-22T12:00:00Z', 72, {}, 'Africa/Cairo')).toEqual([
      '04-22T22:00',
      '04-23T22:00',
      '04-24T21:00',
    ]);
  });

  const patterns = [
    '* * * * *',
    '*/7 * * * * *',
    '0 0 * * *',
    '30 2 * * *',
    '15 1-3 * * *',
    '59 23 L * *',
    '0 0 29 2 *',
  ];

  const rules = [
    ['next', 'first'],
    ['shift', 'second'],
    ['skip', 'both'],
  ] as const;

  it('next is later than now in every zone, at every transition, by every rule', () => {
    const start = Date.parse('2024-01-01T00:00:00Z');
    const end = Date.parse('2028-01-01T00:00:00Z');
    for (const timeZone of Intl.supportedValuesOf('timeZone')) {
      const zone = new Zone(timeZone);
      const found = [];
      for (let at = start; ; ) {
        const transition = zone.nextTransition(at, end);
        if (transition === undefined) break;
        found.push(transition);
        at = transition.at;
      }
      if (found.length === 0) continue;
      for (const [skippedHour, repeatedHour] of rules) {
        for (const pattern of patterns.slice(0, 5)) {
          const schedule = cronSchedule(pattern, { timeZone, skippedHour, repeatedHour });
          for (const from of found.flatMap(({ at }) => [at - 1, at])) {
            const next = schedule.next(from)!;
            if (!(next > from)) throw new Error(`${timeZone} ${pattern} ${from}: ${next}`);
          }
        }
      }
    }
  }, 120_000);

  it('is later than now, leaves nothing out and is the same from wherever one asks', () => {
    const zones = fc.constantFrom(...Intl.supportedValuesOf('timeZone'));
    const times = fc.integer({
      min: Date.parse('1995-01-01T00:00:00Z'),
      max: Date.parse('2035-01-01T00:00:00Z'),
    });
    const daylight = fc.record({
      skippedHour: fc.constantFrom('next', 'shift', 'skip' as const),
      repeatedHour: fc.constantFrom('first', 'second', 'both' as const),
    });
    const property = fc.property(
      zones,
      times,
      fc.constantFrom(...patterns),
      daylight as fc.Arbitrary<DaylightOptions>,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (timeZone, at, pattern, options, part) => {
        const schedule = cronSchedule(pattern, { timeZone, ...options });
        const next = schedule.next(at)!;
        expect(next).toBeGreaterThan(at);
        // From any time before it, and after `at`, it is still the next one
        expect(schedule.next(Math.floor(at + (next - 1 - at) * part))).toBe(next);
      },
    );
    fc.assert(property, { numRuns: 300, seed: 14 });
  });
});

describe('intervals', () => {
  it('have the same times in every process', () => {
    const schedule = intervalSchedule(60_000);
    expect([schedule.next(0), schedule.next(59_999), schedule.next(60_000), schedule.next(-1)]).toEqual([
      60_000, 60_000, 120_000, 0,
    ]);
  });
});

describe('blackouts', () => {
  const daily = cronSchedule('0 3 * * *', { timeZone: 'Europe/Berlin' });
  const days = (schedule: typeof daily) =>
    ticksBetween(schedule, Date.parse('2026-12-22T12:00:00Z'), Date.parse('2026-12-28T00:00:00Z'), 10).map(
      at => new Date(at).getUTCDate(),
    );

  it('leave out days, local times, and what a function says', () => {
    expect(days(daily)).toEqual([23, 24, 25, 26, 27]);
    expect(days(withoutBlackouts(daily, [{ from: '2026-12-24', to: '2026-12-26' }]))).toEqual([23, 27]);
    expect(days(withoutBlackouts(daily, [{ from: '2026-12-24T03:00', to: '2026-12-26T03:00' }]))).toEqual([
      23, 26, 27,
    ]);
    expect(days(withoutBlackouts(daily, [at => at.getUTCDate() % 2 === 1]))).toEqual([24, 26]);
  });

  it.each([
    [{ from: '2026-02-30', to: '2026-03-01' }, 'blackouts[0].from'],
    [{ from: '2026-12-24', to: 'Christmas' }, 'blackouts[0].to'],
    [{ from: '2026-12-26', to: '2026-12-24' }, 'blackouts[0]'],
    [null, 'blackouts[0]'],
  ])('%j is refused', (blackout, option) => {
    const make = () => withoutBlackouts(daily, [blackout as never]);
    expect(make).toThrow(expect.objectContaining({ option }));
  });

  it('a schedule that is blacked out for ever has no next time', () => {
    expect(withoutBlackouts(daily, [() => true]).next(0)).toBeUndefined();
    const from = Date.parse('2026-12-23T12:00:00Z');
    expect(withoutBlackouts(daily, [{ from: '2026-01-01', to: '9999-12-31' }]).next(from)).toBeUndefined();
  });

  it.each(['* * * * * *', { everyMs: 1_000 }])('of days end, however many ticks of %j are in them', when => {
    const timeZone = 'America/New_York';
    const plain =
      typeof when === 'string' ? cronSchedule(when, { timeZone }) : intervalSchedule(1_000, timeZone);
    // Clocks go back on November 1, and forward on March 8
    for (const [from, to, ends] of [
      ['2026-10-30', '2026-11-01', '2026-11-02T05:00:00Z'],
      ['2026-10-30', '2026-11-01T01:30', '2026-11-01T05:30:00Z'],
      ['2026-03-06', '2026-03-08T02:30', '2026-03-08T07:00:00Z'],
    ] as const) {
      const began = Date.parse(`${from}T12:00:00Z`);
      expect(new Date(withoutBlackouts(plain, [{ from, to }]).next(began)!)).toEqual(new Date(ends));
    }
  });

  it('of a function is asked about further ticks at each look', () => {
    const ends = Date.parse('2026-12-24T03:00:00Z');
    let asked = 0;
    const schedule = withoutBlackouts(intervalSchedule(1_000), [
      date => {
        asked++;
        return Number(date) < ends;
      },
    ]);
    const from = ends - 2_300_000;
    expect([schedule.next(from), schedule.next(from), schedule.next(from)]).toEqual([
      undefined,
      undefined,
      ends,
    ]);
    expect(asked).toBe(2_300);
  });
});

describe('what cannot be a schedule', () => {
  it.each([
    '',
    '61 * * * *',
    '* * *',
    '0 0 30 2 *',
    '* * * * * * 1969',
    '2026-01-01T00:00:00Z',
    'H * * * *',
    5,
    null,
  ])('the pattern %j is refused', pattern => {
    const make = () => cronSchedule(pattern as string);
    expect(make).toThrow(InvalidOptionError);
    expect(make).toThrow(expect.objectContaining({ option: 'schedule' }));
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, undefined, '0'])('nothing comes after %j', at => {
    for (const schedule of [cronSchedule('* * * * *'), intervalSchedule(1_000)]) {
      const next = () => schedule.next(at as number);
      expect(next).toThrow(InvalidOptionError);
      expect(next).toThrow('`afterMs` ');
    }
  });

  it.each([8.64e15, Date.parse('2026-01-01T00:00:00Z') * 1_000, -1e14])(
    'of a pattern nothing comes after %d, which is beyond the years of a calendar',
    at => {
      const next = () => cronSchedule('0 0 29 2 *').next(at);
      expect(next).toThrow(InvalidOptionError);
      expect(next).toThrow('`afterMs` must be a number of at least');
    },
  );

  it.each([
    [{ timezone: 'Europe/Berlin' }, 'cronSchedule has no option `timezone`; did you mean `timeZone`?'],
    [{ timeZone: null }, '`timeZone` must be the name of a time zone, got null'],
    [{ skippedHour: null }, '`skippedHour` must be "next" or "shift" or "skip", got null'],
    [null, 'cronSchedule takes an object of options, got null'],
    ['Europe/Berlin', 'cronSchedule takes an object of options, got "Europe/Berlin"'],
  ])('an option that would be ignored is refused: %j', (options, message) => {
    const make = () => cronSchedule('0 3 * * *', options as never);
    expect(make).toThrow(InvalidOptionError);
    expect(make).toThrow(message);
  });

  it('a pattern of 100 000 characters is refused in a short message', () => {
    expect(() => cronSchedule(`${'*'.repeat(100_000)} * * * *`)).toThrow(/^.{0,500}$/);
  });

  it('an unknown zone is refused, and the one that was meant is named', () => {
    expect(() => cronSchedule('* * * * *', { timeZone: 'Europe/Berln' })).toThrow(
      "did you mean 'Europe/Berlin'?",
    );
    expect(() => cronSchedule('* * * * *', { timeZone: 'america-new york' })).toThrow(
      "did you mean 'America/New_York'?",
    );
    expect(() => cronSchedule('* * * * *', { timeZone: '' })).toThrow(InvalidOptionError);
  });

  it('a zone of a million letters is refused in a short message', () => {
    expect(() => cronSchedule('* * * * *', { timeZone: 'x'.repeat(1_000_000) })).toThrow(/^.{0,200}$/);
  });
});

it('jitter is the same for all, and spreads', () => {
  const drawn = Array.from({ length: 1_000 }, (_, index) => jitterOf('best', index * 60_000, 1_000));
  expect(jitterOf('best', 60_000, 1_000)).toBe(drawn[1]);
  expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...drawn)).toBeLessThan(1_000);
  const mean = drawn.reduce((sum, each) => sum + each) / drawn.length;
  expect(Math.abs(mean - 500)).toBeLessThan(50);
});

describe('a blackout', () => {
  const quarters = (from: string, to: string) =>
    withoutBlackouts(cronSchedule('*/15 * * * *', { timeZone: 'Europe/Berlin' }), [{ from, to }]);

  it.each([
    ['02:40', '04:10', '00:30', '03:15'], // From the first 02:40
    ['01:10', '02:10', '23:00', '00:15'], // To the first 02:10
    ['02:10', '02:20', '00:00', '00:30'],
    ['12:10', '13:10', '11:00', '12:15'], // On the day of a change, and after it
  ])('from %s to %s, on a day whose third hour comes twice, is one', (from, to, before, next) => {
    const day = '2026-10-25T';
    const schedule = quarters(day + from, day + to);
    const beforeMs = Date.parse(before === '23:00' ? '2026-10-24T23:00:00Z' : `${day}${before}:00Z`);
    const nextMs = Date.parse(`${day}${next}:00Z`);
    // Whatever time in it is asked about
    for (let ms = beforeMs; ms < nextMs; ms += 60_000) expect(schedule.next(ms)).toBe(nextMs);
  });

  it('that begins or ends in a skipped hour does so when clocks change', () => {
    const day = '2026-03-29T'; // At 01:00 in UTC, 02:00 becomes 03:00
    const late = quarters(`${day}02:20`, `${day}03:20`);
    expect(late.next(Date.parse(`${day}00:45:00Z`))).toBe(Date.parse(`${day}01:30:00Z`));
    const early = quarters(`${day}01:20`, `${day}02:20`);
    expect(early.next(Date.parse(`${day}00:15:00Z`))).toBe(Date.parse(`${day}01:00:00Z`));
  });
});
