import { describe, expect, it } from 'vitest';
import { cronSchedule } from '../../src/index.ts';
import { jobOf } from '../support/jobs.ts';
import { gate, minuteMs, site } from '../support/site.ts';

/** What users of other schedulers have reported, tried here, as in `trackers.test.ts`. Each test names the report. */

const hourMs = 60 * minuteMs;

describe('a process that was away', () => {
  it('for 101 ticks launches again: no number of missed ticks ends a job (kubernetes 42649, 86647)', async () => {
    const place = site();
    const before = jobOf(place);
    await before.job.start();
    await before.job.close();
    await place.clock.advance(101 * minuteMs);
    const after = jobOf(place);
    await after.job.start();
    await place.clock.advance(minuteMs);
    expect(after.minutes()).toEqual([101, 102]);
    expect((await after.job.state())?.missed.late).toBe(100);
  });

  it('launches the oldest first when it launches all (kubernetes 79995)', async () => {
    const place = site();
    const before = jobOf(place);
    await before.job.start();
    await before.job.close();
    await place.clock.advance(5 * minuteMs);
    const after = jobOf(place, () => {}, { misfire: 'all', overlap: 'queue' });
    await after.job.start();
    await place.clock.advance(1);
    expect(after.minutes()).toEqual([1, 2, 3, 4, 5]);
  });

  it('does not launch a tick later than a deadline, and says so (apscheduler 296, deleterr 292)', async () => {
    const place = site();
    const before = jobOf(place, () => {}, { schedule: '5 * * * *' });
    await before.job.start();
    await before.job.close();
    await place.clock.advance(40 * minuteMs);
    const after = jobOf(place, () => {}, { schedule: '5 * * * *', misfire: { deadlineMs: 30 * minuteMs } });
    await after.job.start();
    await place.clock.advance(1);
    expect(after.runs).toEqual([]);
    expect((await after.job.state())?.missed.late).toBe(1);
  });

  it('in a sleep of its machine launches what it has slept through (node-cron 349, 457)', async () => {
    const place = site();
    let asleepMs = 0; // The time of day goes on, monotonic time does not
    const { clock } = place;
    const slept = {
      now: () => clock.now(),
      sleep: clock.sleep.bind(clock),
      wallMs: () => clock.wallMs() + asleepMs,
    };
    const { job, minutes } = jobOf(place, () => {}, { schedule: '0 * * * *', clock: slept, pollMs: 5_000 });
    await job.start();
    asleepMs = 3 * hourMs + 10_000;
    await clock.advance(5_000); // The next look
    expect(minutes()).toEqual([180]);
  });
});

describe('a tick that comes late', () => {
  it('is launched, not skipped, with a timer that drifts (node-cron 38, 485)', async () => {
    const place = site();
    const { clock } = place;
    const drifting = {
      now: () => clock.now(),
      wallMs: () => clock.wallMs(),
      sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms + 2_500, signal),
    };
    const { job, minutes } = jobOf(place, () => {}, { clock: drifting, leaseMs: 60_000 });
    await job.start();
    for (let minute = 0; minute < 5; minute++) await clock.advance(minuteMs);
    await clock.advance(20_000);
    expect(minutes()).toEqual([1, 2, 3, 4, 5]);
  });

  it('after a long run waits for it, and is launched at once then (apscheduler 1095)', async () => {
    const place = site();
    const work = gate();
    const at: number[] = [];
    const { job } = jobOf(
      place,
      run => {
        at.push(place.clock.minute(place.clock.wallMs()));
        return place.clock.minute(run.scheduledAt) === 1 ? work.opened : undefined;
      },
      { overlap: 'queue', misfire: 'all' },
    );
    await job.start();
    await place.clock.advance(2.5 * minuteMs);
    work.open();
    await place.clock.advance(1);
    expect(at).toEqual([1, 2.5]);
  });
});

describe('several processes', () => {
  it('do not launch a long job again while it runs (sidekiq-cron 158)', async () => {
    const place = site();
    const work = gate();
    const all = [1, 2, 3].map(() => jobOf(place, () => work.opened));
    await Promise.all(all.map(({ job }) => job.start()));
    for (let minute = 0; minute < 10; minute++) await place.clock.advance(minuteMs);
    expect(all.flatMap(({ runs }) => runs)).toHaveLength(1);
    work.open();
  });

  it('one of which dies in a run leave no job blocked for ever (quartz 145, 134, 93)', async () => {
    const place = site();
    const stuck = gate();
    const dies = jobOf(place, () => stuck.opened);
    await dies.job.start();
    await place.clock.advance(minuteMs);
    dies.machine.kill();
    await place.clock.advance(10 * minuteMs); // Much longer than the interval, and nobody is there
    const other = jobOf(place);
    await other.job.start();
    await place.clock.advance(30_000);
    await place.clock.advance(minuteMs);
    expect(other.minutes()).toEqual([1, 11, 12]); // The run of the dead one first
  });

  it('run one of two that are triggered at once after the other (sidekiq-cron 93)', async () => {
    const place = site();
    let running = 0;
    let most = 0;
    const all = [1, 2].map(() =>
      jobOf(place, async () => {
        most = Math.max(most, ++running);
        await place.clock.sleep(100);
        running--;
      }),
    );
    await Promise.all(all.map(({ job }) => job.start()));
    const both = Promise.all(all.map(({ job }) => job.trigger()));
    for (let times = 0; times < 30; times++) await place.clock.advance(1_000);
    const records = await both;
    expect(new Set(records.map(({ scheduledAt }) => scheduledAt)).size).toBe(2);
    expect(most).toBe(1);
  });
});

describe('a pause', () => {
  it('is none that was missed: nothing comes when it ends (jmix 3440)', async () => {
    const place = site();
    const { job, minutes } = jobOf(place, () => {}, { misfire: 'all' });
    await job.start();
    await job.pause();
    await place.clock.advance(5 * minuteMs);
    await job.resume();
    await place.clock.advance(minuteMs);
    expect(minutes()).toEqual([6]);
    expect((await job.state())?.missed).toEqual({ late: 0, overlap: 0, paused: 5 });
  });

  it('does not keep back-fills of before it waiting for ever (airflow 72054)', async () => {
    const place = site();
    const { job, minutes } = jobOf(place);
    await job.start();
    await job.pause();
    const to = new Date(place.clock.startMs);
    await job.backfill({ from: new Date(Number(to) - 2 * minuteMs), to });
    await place.clock.advance(5_000);
    expect(minutes()).toEqual([-2, -1]);
  });
});

describe('clocks that change', () => {
  it('a schedule of every second goes on in the hour that comes twice (node-schedule 435)', () => {
    const schedule = cronSchedule('* * * * * *', { timeZone: 'Europe/Brussels' });
    const from = Date.parse('2018-10-28T00:30:00Z');
    let at = from;
    for (let second = 0; second < 2 * 3_600; second++) at = schedule.next(at)!;
    expect(at - from).toBe(2 * hourMs);
  });

  it('a fixed time in the skipped hour is that day, not the next autumn (node-schedule 615)', () => {
    const schedule = cronSchedule('0 30 2 * * *', { timeZone: 'America/New_York' });
    expect(new Date(schedule.next(Date.parse('2021-03-14T06:00:00Z'))!).toISOString()).toBe(
      '2021-03-14T07:00:00.000Z',
    );
  });

  it('a daily time is found a day before the change, with few steps (node-schedule 132)', () => {
    const schedule = cronSchedule('0 3 * * *', { timeZone: 'Europe/Amsterdam' });
    const next = schedule.next(Date.parse('2015-03-28T02:00:00Z'))!;
    expect(new Date(next).toISOString()).toBe('2015-03-29T01:00:00.000Z');
  });
});

it('a back-fill of 1 000 ticks does not keep another job waiting (airflow 18501, 18051)', async () => {
  const place = site();
  const work = gate();
  const slow = jobOf(place, () => work.opened, { name: 'slow' });
  const other = jobOf(place, () => {}, { name: 'other' });
  await Promise.all([slow.job.start(), other.job.start()]);
  const to = new Date(place.clock.startMs);
  await slow.job.backfill({ from: new Date(Number(to) - 1_000 * minuteMs), to });
  for (let minute = 0; minute < 3; minute++) await place.clock.advance(minuteMs);
  expect(other.minutes()).toEqual([1, 2, 3]);
  work.open();
});
