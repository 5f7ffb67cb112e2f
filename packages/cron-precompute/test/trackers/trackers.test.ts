import { memoryStore } from '@ashlar/store';
import { describe, expect, it } from 'vitest';
import { cronSchedule, Job, systemWallClock } from '../../src/index.ts';
import { jobOf } from '../support/jobs.ts';
import { preparedOf } from '../support/prepared.ts';
import { ending, gate, minuteMs, site } from '../support/site.ts';

/** What users of other schedulers have reported, tried here. Each test names the report. */

const dayMs = 24 * 60 * minuteMs;

/** The times of a schedule in a range, as they are in UTC. */
function timesOf(pattern: string, timeZone: string, from: string, to: string): string[] {
  const schedule = cronSchedule(pattern, { timeZone });
  const times: string[] = [];
  let at = schedule.next(Date.parse(from) - 1);
  for (; at !== undefined && at < Date.parse(to); at = schedule.next(at)) {
    times.push(new Date(at).toISOString().slice(5, 16));
  }
  return times;
}

describe('hours that clocks skip or repeat', () => {
  it('a minute schedule goes on after an hour that comes twice (kelektiv/node-cron 120)', () => {
    const times = timesOf('0 * * * * *', 'America/New_York', '2014-11-02T04:00Z', '2014-11-02T08:00Z');
    expect(new Set(times).size).toBe(240);
  });

  it('a fixed time in a skipped hour comes that day, in a repeated one once (kelektiv/node-cron 563)', () => {
    const spring = timesOf('30 2 * * *', 'America/New_York', '2021-03-14T05:00Z', '2021-03-15T05:00Z');
    expect(spring).toEqual(['03-14T07:00']);
    const autumn = timesOf('30 1 * * *', 'America/New_York', '2021-11-07T04:00Z', '2021-11-08T05:00Z');
    expect(autumn).toEqual(['11-07T05:30']);
  });

  it('half-hours of a repeated hour are not left out (kelektiv/node-cron 881)', () => {
    const times = timesOf('*/30 * * * *', 'Australia/Melbourne', '2024-04-06T15:00Z', '2024-04-06T18:00Z');
    expect(times).toHaveLength(6);
  });

  it('no day is left out where midnight is skipped (hexagon/croner 132)', () => {
    const times = timesOf('0 0 * * *', 'America/Santiago', '2025-01-01T00:00Z', '2026-01-01T00:00Z');
    expect(times).toHaveLength(365);
  });

  it('a schedule does not spin through a skipped hour (node-cron/node-cron 509)', async () => {
    const place = site();
    Object.assign(place.clock, { startMs: Date.parse('2026-03-08T06:30:00Z') });
    const { job, machine, runs } = jobOf(place, () => {}, { timeZone: 'America/New_York' });
    await job.start();
    const [calls, before] = [machine.calls.length, runs.length];
    for (let minute = 0; minute < 60; minute++) await place.clock.advance(minuteMs);
    expect(runs.length - before).toBe(60);
    expect(machine.calls.length - calls).toBeLessThan(60 * 40);
  });
});

describe('timers', () => {
  it.each([
    ['pollMs', { pollMs: 30 * dayMs }],
    ['timeoutMs', { timeoutMs: 30 * dayMs }],
  ])('a %s of more than 24.8 days is not over at once (agenda 888, 1305)', async (_, options) => {
    const store = ending(memoryStore());
    const work = gate<string>();
    let gets = 0;
    const counted = new Proxy(store, {
      get: (target, name) => {
        if (name === 'get') gets++;
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const job = ending(
      new Job({ name: 'rare', schedule: '0 0 29 2 *', store: counted, work: () => work.opened, ...options }),
    );
    await job.start();
    const ended = job.trigger();
    for (let turn = 0; turn < 5; turn++) await systemWallClock.sleep(2); // A timer of 1 ms would be over
    const seen = gets;
    for (let turn = 0; turn < 5; turn++) await systemWallClock.sleep(2);
    expect(gets - seen).toBeLessThan(3);
    work.open('done');
    expect(await ended).toMatchObject({ status: 'succeeded', result: 'done' });
  });

  it('a clock that is set back after a tick does not bring it again (kelektiv/node-cron 180)', async () => {
    const place = site();
    let backMs = 0;
    const { clock } = place;
    const stepping = {
      now: () => clock.now(),
      sleep: clock.sleep.bind(clock),
      wallMs: () => clock.wallMs() - backMs,
    };
    const { job, minutes } = jobOf(place, () => {}, { clock: stepping });
    await job.start();
    await clock.advance(minuteMs);
    backMs = 8_000;
    await clock.advance(8_000);
    await clock.advance(minuteMs);
    expect(minutes()).toEqual([1, 2]);
  });

  it('jobs that are due at once all run, however many (kelektiv/node-cron 315)', async () => {
    const place = site();
    const jobs = Array.from({ length: 50 }, (_, n) => jobOf(place, () => {}, { name: `job ${n}` }));
    await Promise.all(jobs.map(({ job }) => job.start()));
    await place.clock.advance(minuteMs);
    await place.clock.advance(1);
    expect(jobs.map(({ runs }) => runs.length)).toEqual(Array(50).fill(1));
  });
});

describe('restarts', () => {
  it('a process that restarts again and again makes no tick twice (taskforcesh/bullmq 2876)', async () => {
    const place = site();
    const all = jobOf(place).minutes();
    for (let restart = 0; restart < 30; restart++) {
      const { job, minutes } = jobOf(place);
      await job.start();
      await place.clock.advance(minuteMs / 4);
      await job.close();
      all.push(...minutes());
    }
    expect(all).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it('many that register at once leave a schedule that ticks (taskforcesh/bullmq 3085, 3381)', async () => {
    const place = site();
    const jobs = Array.from({ length: 20 }, () => jobOf(place, () => {}, { schedule: { everyMs: 10_000 } }));
    await Promise.all(jobs.map(({ job }) => job.start()));
    await Promise.all(jobs.slice(1).map(({ job }) => job.close()));
    for (let second = 0; second < 30; second++) await place.clock.advance(1_000);
    await place.clock.advance(1);
    expect(jobs.flatMap(({ runs }) => runs)).toHaveLength(3);
  });

  it('another interval holds from the next start on (taskforcesh/bullmq 3430)', async () => {
    const place = site();
    const first = jobOf(place, () => {}, { schedule: { everyMs: 2 * minuteMs } });
    await first.job.start();
    await place.clock.advance(2 * minuteMs);
    await place.clock.advance(1);
    await first.job.close();
    const second = jobOf(place, () => {}, { schedule: { everyMs: minuteMs } });
    await second.job.start();
    for (let minute = 0; minute < 3; minute++) await place.clock.advance(minuteMs);
    expect([first.minutes(), second.minutes()]).toEqual([[2], [3, 4, 5]]);
  });

  it('a schedule that is moved launches nothing for the time before it was (apache/airflow 45274)', async () => {
    const place = site(); // Noon
    const first = jobOf(place, () => {}, { schedule: '0 18 * * *' });
    await first.job.start();
    await place.clock.advance(minuteMs);
    await first.job.close();
    await place.clock.advance(120 * minuteMs);
    const second = jobOf(place, () => {}, { schedule: '0 13 * * *' });
    await second.job.start();
    await place.clock.advance(minuteMs);
    expect(second.runs).toEqual([]);
    await place.clock.advance(dayMs);
    expect(second.minutes()).toEqual([25 * 60]);
  });

  it('a tick is not missed when the process that looked last stops (timgit/pg-boss 914)', async () => {
    const place = site();
    const [first, second] = [jobOf(place), jobOf(place)];
    await first.job.start();
    await place.clock.advance(20_000);
    await second.job.start();
    await place.clock.advance(39_900);
    first.machine.kill();
    await place.clock.advance(100);
    await place.clock.advance(10_000);
    expect([first.minutes(), second.minutes()]).toEqual([[], [1]]);
  });

  it('a tick that comes while all processes restart is launched after it (sidekiq-cron 111, good_job 1484)', async () => {
    const place = site();
    const first = jobOf(place, () => {}, { schedule: '5 * * * *' });
    await first.job.start();
    await place.clock.advance(4 * minuteMs);
    await first.job.close();
    await place.clock.advance(2 * minuteMs);
    const second = jobOf(place, () => {}, { schedule: '5 * * * *' });
    await second.job.start();
    await place.clock.advance(1);
    expect(second.minutes()).toEqual([5]);
    await second.job.close();
    await place.clock.advance(60 * minuteMs);
    const moved = jobOf(place, () => {}, { schedule: '3 * * * *' }); // The tick of five past is overdue
    await moved.job.start();
    await place.clock.advance(1);
    expect(moved.minutes()).toEqual([63]);
  });

  it('a back-fill moves no tick (apache/airflow 47922)', async () => {
    const place = site();
    const { job, minutes } = jobOf(place);
    await job.start();
    const before = await job.state();
    const to = new Date(place.clock.startMs);
    await job.backfill({ from: new Date(Number(to) - 2 * minuteMs), to });
    await place.clock.advance(1);
    const { watermark, nextTick } = (await job.state())!;
    expect({ watermark, nextTick }).toEqual({ watermark: before?.watermark, nextTick: before?.nextTick });
    await place.clock.advance(minuteMs);
    expect(minutes()).toEqual([-2, -1, 1]);
  });

  it('a run longer than its interval does not skip the tick after it (getpaseo/paseo 2819)', async () => {
    const place = site();
    const work = gate();
    const { job, minutes } = jobOf(place, ({ scheduledAt }) =>
      place.clock.minute(scheduledAt) === 1 ? work.opened : undefined,
    );
    await job.start();
    for (let minute = 0; minute < 3; minute++) await place.clock.advance(minuteMs);
    work.open();
    await place.clock.advance(minuteMs);
    expect(minutes()).toEqual([1, 4]);
    expect((await job.state())?.missed.overlap).toBe(2);
  });

  it.each([undefined, null, 'text', Object.create(null)])(
    'work that throws %j leaves a record, and the next tick comes (agenda 172)',
    async thrown => {
      const place = site();
      const { job } = jobOf(place, () => {
        throw thrown;
      });
      await job.start();
      await place.clock.advance(minuteMs);
      await place.clock.advance(minuteMs);
      expect((await job.history()).map(({ status }) => status)).toEqual(['failed', 'failed']);
    },
  );
});

describe('what is read incrementally', () => {
  it('rows that are committed late are not lost (dlt-hub/dlt 2269)', async () => {
    const place = site();
    const rows: { readonly key: string; readonly at: number }[] = [{ key: 'a', at: 0 }];
    const { best } = preparedOf<number>(
      place,
      ({ since }) =>
        rows
          .filter(({ at }) => at >= Number(since ?? 0) - place.clock.startMs)
          .map(({ key, at }) => [key, at]),
      { incremental: { lookBackMs: 60_000 } },
    );
    await best.start();
    await place.clock.advance(minuteMs);
    rows.push({ key: 'late', at: minuteMs - 5_000 }); // Written before the run has begun, seen after it
    await place.clock.advance(minuteMs);
    await place.clock.advance(1);
    expect(best.get('late').value).toBe(minuteMs - 5_000);
  });

  it('everything is read when the store has lost the version (rocky-data/rocky 1179)', async () => {
    const place = site();
    const { best, contexts } = preparedOf<number>(place, () => [['a', 1]], { incremental: true });
    await best.start();
    await best.refresh();
    await best.refresh();
    await place.store.delete('precompute/best/pointer');
    expect(await best.refresh()).toMatchObject({ status: 'succeeded' });
    expect(contexts.map(({ since }) => since === undefined)).toEqual([true, false, true]);
    expect(await best.versions()).toHaveLength(1);
  });

  it('a run that fails moves no watermark', async () => {
    const place = site();
    let isBroken = false;
    const { best, contexts } = preparedOf<number>(
      place,
      function* () {
        yield ['a', 1] as const;
        if (isBroken) throw new Error('the warehouse is away');
      },
      { incremental: { lookBackMs: 0 } },
    );
    await best.start();
    await best.refresh();
    isBroken = true;
    for (let minute = 0; minute < 3; minute++) await place.clock.advance(minuteMs);
    isBroken = false;
    await best.refresh();
    expect(contexts.length).toBeGreaterThan(3);
    expect(new Set(contexts.slice(1).map(({ since }) => Number(since))).size).toBe(1);
  });
});
