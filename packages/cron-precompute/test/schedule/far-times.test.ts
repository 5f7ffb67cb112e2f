import { expect, it, vi } from 'vitest';
import { cronSchedule } from '../../src/index.ts';
import { Zone } from '../../src/schedule/zone.ts';

it.each([
  ['0 0 0 29 2 * 9996', 'UTC', '9996-02-29T00:00:00.000Z'],
  ['0 30 2 1 1 * 9999', 'Asia/Kathmandu', '9998-12-31T20:45:00.000Z'],
  ['0 30 2 1 7 * 2199', 'Europe/Berlin', '2199-07-01T00:30:00.000Z'],
  ['0 0 29 2 +1', 'America/New_York', '2044-02-29T05:00:00.000Z'],
])(
  'a time that is far away is found without a look at each day before it: %s in %s',
  (pattern, timeZone, expected) => {
    const { offsetAt } = Zone.prototype;
    let looks = 0;
    const counted = vi.spyOn(Zone.prototype, 'offsetAt').mockImplementation(function (this: Zone, ms) {
      if (++looks > 1_000) throw new Error('it looks at each day');
      return offsetAt.call(this, ms);
    });
    try {
      const next = cronSchedule(pattern, { timeZone }).next(Date.parse('2026-01-01T00:00:00Z'))!;
      expect(new Date(next).toISOString()).toBe(expected);
    } finally {
      counted.mockRestore();
    }
  },
);
