import { expect, it } from 'vitest';
import { cronSchedule } from '../../src/index.ts';

/** What users of other parsers have reported of months and days, tried here: after a time, the next ones. */
it.each([
  ['quartz 1298', '0 11 L * *', 'UTC', '2017-02-28T05:00Z', ['2017-02-28T11:00Z', '2017-03-31T11:00Z']],
  ['quartz 1363', '15 23 L 9 *', 'Africa/Johannesburg', '2025-07-09T10:13Z', ['2025-09-30T21:15Z']],
  [
    'spring-framework 26390',
    '0 * L * *',
    'UTC',
    '2021-01-30T23:00Z',
    ['2021-01-31T00:00Z', '2021-01-31T01:00Z'],
  ],
  ['cron-utils 69', '0 * * * 1-5', 'UTC', '2016-02-29T11:00Z', ['2016-02-29T12:00Z', '2016-02-29T13:00Z']],
  ['cron-utils 153', '0 8 31 * *', 'UTC', '2017-04-10T00:00Z', ['2017-05-31T08:00Z', '2017-07-31T08:00Z']],
  [
    'cron-utils 215',
    '0 8 * * MON-FRI',
    'UTC',
    '2017-06-30T10:00Z',
    ['2017-07-03T08:00Z', '2017-07-04T08:00Z'],
  ],
  [
    'croniter 55, gronx 55',
    '0 9 29 2 *',
    'UTC',
    '2016-02-29T09:00Z',
    ['2020-02-29T09:00Z', '2024-02-29T09:00Z'],
  ],
  [
    'quartz 165',
    '5 0 * * 2-6',
    'America/New_York',
    '2017-07-03T13:04Z',
    ['2017-07-04T04:05Z', '2017-07-05T04:05Z'],
  ],
  [
    'crontap 2',
    '30 * 1 * *',
    'Europe/Berlin',
    '2023-03-31T20:00Z',
    ['2023-03-31T22:30Z', '2023-03-31T23:30Z'],
  ],
  [
    'quartznet 587',
    '11 7 * * *',
    'America/New_York',
    '2017-11-04T12:00Z',
    ['2017-11-05T12:11Z', '2017-11-06T12:11Z'],
  ],
] as const)('%s: %s in %s', (_report, pattern, timeZone, after, times) => {
  const schedule = cronSchedule(pattern, { timeZone });
  let at = Date.parse(after);
  for (const time of times) {
    at = schedule.next(at)!;
    expect(new Date(at).toISOString()).toBe(time.replace('Z', ':00.000Z'));
  }
});
