import { describe, expect, it } from 'vitest';
import { Job, LoadProfile } from '../../src/index.ts';
import { Zone } from '../../src/schedule/zone.ts';
import { type LoadWeek, merged, quietSlots, slotAt, slotsInWeek } from '../../src/windows/week.ts';
import { ending, minuteMs, outage, site, type VirtualClock } from '../support/site.ts';

const hourMs = 60 * minuteMs;
const until = { from: '01:00', to: '06:00' };

/** Two humps a day: quiet from midnight to six, and on weekends from two to eight. */
function loadAt(ms: number): number {
  const date = new Date(ms);
  const isWeekend = date.getUTCDay() % 6 === 0;
  const hour = date.getUTCHours() - (isWeekend ? 2 : 0);
  return hour >= 0 && hour < 6 ? 1 : 100;
}

async function learned(place: ReturnType<typeof site>, profiles: LoadProfile[], days: number): Promise<void> {
  for (let slot = 0; slot < days * 48; slot++) {
    for (const profile of profiles) profile.observe(loadAt(place.clock.wallMs()));
    await place.clock.advance(hourMs / 2);
  }
}

function profileOf(place: ReturnType<typeof site>, options: { timeZone?: string } = {}): LoadProfile {
  return ending(new LoadProfile({ name: 'visits', store: place.store, clock: place.clock, ...options }));
}

describe('half hours', () => {
  it('begin on Monday, by the clocks of the zone', () => {
    const berlin = new Zone('Europe/Berlin');
    const slot = (time: string) => slotAt(Date.parse(time), berlin).slot;
    expect(slot('2026-06-01T00:00:00+02:00')).toBe(0);
    expect(slot('2026-06-07T23:59:59+02:00')).toBe(slotsInWeek - 1);
    expect(slot('2026-06-03T14:30:00+02:00')).toBe(2 * 48 + 29);
    const week = (time: string) => slotAt(Date.parse(time), berlin).week;
    expect(week('2026-06-08T00:00:00+02:00') - week('2026-06-07T23:59:59+02:00')).toBe(1);
  });

  it('of a week count half as much as those of the next, whichever process writes first', () => {
    const batch = (load: number, week: number) => new Map([[3, { sum: load, count: 1, week }]]);
    const mean = (week: LoadWeek) => week[3]!.sum / week[3]!.count;
    const late = merged(merged([], batch(10, 6)), batch(40, 5));
    const inOrder = merged(merged([], batch(40, 5)), batch(10, 6));
    expect([mean(late), mean(inOrder)]).toEqual([20, 20]);
  });

  it('are quiet in one stretch a day, which may go over midnight, also that from Sunday to Monday', () => {
    const at = (slot: number) => (slot % 48 >= 44 || slot % 48 < 4 ? 1 : 9);
    const week = Array.from({ length: slotsInWeek }, (_, slot) => ({ sum: at(slot), count: 1, week: 0 }));
    const quiet = quietSlots(week, 8)!;
    expect(quiet.size).toBe(7 * 8);
    expect([...quiet].every(slot => at(slot) === 1)).toBe(true);
    expect(quietSlots([...week.slice(0, 48), ...week.slice(0, 40).map(() => null)], 8)).toBeUndefined();
  });
});

describe('a profile', () => {
  it('learns from several processes, and opens where users are few', async () => {
    const place = site();
    const two = [profileOf(place), profileOf(place)];
    await learned(place, two, 8);
    await Promise.all(two.map(profile => profile.flush()));
    const other = profileOf(place);
    const quiet = other.quiet({ hours: 6, until });
    expect(quiet.isOpen(Date.parse('2026-06-10T00:30:00Z'))).toBe(false); // It knows nothing yet
    await quiet.refresh!();
    const open = (time: string) => quiet.isOpen(Date.parse(`2026-06-${time}:00Z`));
    expect(
      ['10T00:00', '10T05:59', '10T06:00', '13T01:59', '13T02:00', '13T07:59', '13T08:00'].map(open),
    ).toEqual([true, true, false, false, true, true, false]);
    const noon = Date.parse('2026-06-12T12:00:00Z');
    expect(new Date(quiet.opensAt(noon)).toISOString()).toBe('2026-06-13T02:00:00.000Z');
    expect(new Date(quiet.closesAt(noon)).toISOString()).toBe('2026-06-13T08:00:00.000Z');
    expect(other.snapshot().slots.every(load => load === 1 || load === 100)).toBe(true);
  });

  it('uses the given window until it knows a week', async () => {
    const place = site();
    const profile = profileOf(place);
    await learned(place, [profile], 5);
    await profile.flush();
    const quiet = profile.quiet({ until });
    const open = (time: string) => quiet.isOpen(Date.parse(`2026-06-03T${time}:00Z`));
    expect(['00:30', '01:00', '05:59', '06:00'].map(open)).toEqual([false, true, true, false]);
  });

  it('keeps what it has observed while the store does not answer', async () => {
    const place = site();
    const machine = place.machine();
    let isDown = true;
    machine.before = () => {
      if (isDown) throw outage();
    };
    const profile = new LoadProfile({ name: 'visits', store: machine.store, clock: place.clock });
    profile.observe(5);
    await expect(profile.flush()).rejects.toThrow('an outage');
    profile.observe(7);
    expect(profile.snapshot().pending).toBeGreaterThan(0);
    isDown = false;
    await profile.close();
    expect(profile.snapshot().pending).toBe(0);
  });

  it.each([
    [() => profileOf(site(), { timeZone: 'Europe/Berln' }), 'timeZone'],
    [() => profileOf(site()).quiet({ hours: 0, until }), 'hours'],
    [() => profileOf(site()).quiet({ hours: 24, until }), 'hours'],
    [() => profileOf(site()).quiet({} as never), 'until'],
    [() => profileOf(site()).quiet({ until: { from: '01:00', to: '01:00' } }), 'until'],
    [() => profileOf(site()).observe(Number.NaN), 'load'],
  ])('%s is refused', (make, option) => {
    expect(make).toThrow(expect.objectContaining({ code: 'ASHLAR_CORE_INVALID_OPTION', option }));
  });
});

it('a job works in the quiet hours that a profile has learned', async () => {
  const place = site();
  const profile = profileOf(place);
  await learned(place, [profile], 8);
  const runs: string[] = [];
  const job = ending(
    new Job({
      name: 'report',
      schedule: '0 9 * * *',
      window: profile.quiet({ until }),
      store: place.machine().store,
      clock: place.clock satisfies VirtualClock,
      pollMs: hourMs,
      work: () => {
        runs.push(new Date(place.clock.wallMs()).toISOString());
      },
    }),
  );
  await job.start();
  await place.clock.advance(3 * 24 * hourMs);
  expect(runs.map(time => time.slice(11, 16))).toEqual(['00:00', '00:00']);
});
