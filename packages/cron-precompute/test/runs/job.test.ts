import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { InvalidOptionError } from '@ashlar/core';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { JobOptions } from '../../src/index.ts';
import { Job, JobClosedError, RunFencedError, RunReplacedError, RunTimeoutError } from '../../src/index.ts';
import { jobOf } from '../support/jobs.ts';
import { gate, minuteMs, outage, site } from '../support/site.ts';

const everyMinute = { schedule: '* * * * *' } as const;

describe('a job', () => {
  it('launches each tick once, however many processes have registered at once', async () => {
    const place = site();
    const jobs = Array.from({ length: 5 }, () => jobOf(place));
    await Promise.all(jobs.map(({ job }) => job.start()));
    for (let minute = 0; minute < 10; minute++) await place.clock.advance(minuteMs);
    await place.clock.advance(1);
    const minutes = jobs.flatMap(each => each.minutes()).sort((a, b) => a - b);
    expect(minutes).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const records = await jobs[0]!.job.history();
    expect(records.map(({ status, attempt }) => [status, attempt])).toEqual(Array(10).fill(['succeeded', 1]));
    const tokens = jobs.flatMap(each => each.runs.map(run => run.token));
    expect(new Set(tokens).size).toBe(10);
  });

  it('writes that a run begins before its work begins, and its end after it', async () => {
    const place = site();
    let before: unknown;
    const { job, machine } = jobOf(place, async run => {
      before = await job.history();
      expect((await job.state())?.running).toMatchObject([{ scheduledAt: Number(run.scheduledAt) }]);
      return { rows: 3 };
    });
    await job.start();
    await place.clock.advance(minuteMs);
    expect(before).toMatchObject([{ status: 'running' }]);
    expect(await job.history()).toMatchObject([{ status: 'succeeded', result: { rows: 3 } }]);
    expect((await job.state())?.running).toEqual([]);
    expect(machine.calls.filter(call => /^(set|claim)/.test(call))).toEqual([
      'set cron/report/state',
      'claim cron/report',
      'set cron/report/state',
      expect.stringMatching(/^set cron\/report\/runs\/\d{16}-schedule$/),
      expect.stringMatching(/^set cron\/report\/runs\/\d{16}-schedule$/),
      'set cron/report/state',
    ]);
  });

  it.each([
    ['a pattern whose years have passed', { schedule: '0 0 0 * * * 2025' }],
    ['a blackout without an end', { blackouts: [{ from: '2026-01-01', to: '9999-12-31' }] }],
    ['a blackout that always holds', { blackouts: [() => true] }],
  ])('says that no tick comes any more, with %s, and still runs when it is told to', async (_, options) => {
    const place = site();
    const said: unknown[] = [];
    const listen = (message: unknown) => said.push(message);
    subscribe('ashlar:cron-precompute:schedule-over', listen);
    onTestFinished(() => void unsubscribe('ashlar:cron-precompute:schedule-over', listen));
    const { job } = jobOf(place, () => {}, options);
    expect(job.snapshot().isOver).toBe(false);
    await job.start();
    await place.clock.advance(10 * minuteMs);
    expect(job.snapshot()).toMatchObject({ isOver: true, nextAt: undefined });
    expect(job.next(3)).toEqual([]);
    expect(said).toEqual([{ job: 'report', schedule: expect.any(String) }]);
    const triggered = job.trigger();
    await place.clock.advance(minuteMs);
    expect(await triggered).toMatchObject({ status: 'succeeded' });
  });

  it('launches the last tick of its pattern after a restart, and is over then', async () => {
    const place = site();
    const last = { schedule: '0 5 12 1 6 * 2026' } as const; // Five minutes from now
    const first = jobOf(place, () => {}, last);
    await first.job.start();
    await first.job.close();
    await place.clock.advance(10 * minuteMs);
    const second = jobOf(place, () => {}, last);
    await second.job.start();
    await place.clock.advance(minuteMs);
    expect(second.minutes()).toEqual([5]);
    expect(second.job.snapshot().isOver).toBe(true);
  });

  it('is taken over after a crash, from its checkpoint', async () => {
    const place = site();
    const stuck = gate();
    const first = jobOf(place, async run => {
      await run.checkpoint({ page: 7 });
      await stuck.opened;
      await run.checkpoint({ page: 8 });
    });
    await first.job.start();
    await place.clock.advance(minuteMs);
    const second = jobOf(place);
    await second.job.start();
    await place.clock.advance(9_000);
    expect(second.runs).toEqual([]);
    first.machine.kill();
    await place.clock.advance(20_000);
    expect(second.minutes()).toEqual([1]);
    expect(second.runs[0]).toMatchObject({ attempt: 2, cursor: { page: 7 } });
    expect(second.runs[0]!.token).toBeGreaterThan(first.runs[0]!.token);
    expect(first.runs[0]!.signal.aborted).toBe(true);
    stuck.open();
    await place.clock.advance(1_000);
    expect(await second.job.history()).toMatchObject([
      { status: 'succeeded', attempt: 2, cursor: { page: 7 } },
    ]);
  });

  it('refuses the checkpoint of an attempt that was taken over while it stood still', async () => {
    const place = site();
    const stuck = gate();
    const refused = gate<unknown>();
    const first = jobOf(
      place,
      async run => {
        await stuck.opened;
        // As after a stall: the lease has ended, and nothing has told the work yet
        Object.defineProperty(run.signal, 'throwIfAborted', { value: () => {} });
        await run.checkpoint(1).catch(refused.open);
      },
      { graceMs: 600_000 },
    );
    await first.job.start();
    await place.clock.advance(minuteMs);
    first.machine.before = method => {
      if (method === 'claim') throw outage();
    };
    const second = jobOf(place);
    await second.job.start();
    await place.clock.advance(30_000);
    expect(second.minutes()).toEqual([1]);
    stuck.open();
    expect(await refused.opened).toMatchObject({ code: 'ASHLAR_STORE_LEASE_LOST' });
    expect((await second.job.history())[0]).toMatchObject({ status: 'succeeded', attempt: 2 });
  });

  it('is not taken over for ever: after so many crashes the run has failed', async () => {
    const place = site();
    for (let crash = 1; crash <= 2; crash++) {
      const victim = jobOf(place, () => new Promise(() => {}), { crashes: 2, graceMs: 0 });
      await victim.job.start();
      await place.clock.advance(crash === 1 ? minuteMs : 25_000);
      expect(victim.minutes()).toEqual([1]);
      victim.machine.kill();
      await place.clock.advance(1);
    }
    const last = jobOf(place, () => {}, { crashes: 2 });
    await last.job.start();
    await place.clock.advance(25_000);
    expect((await last.job.history()).at(-1)).toMatchObject({
      status: 'failed',
      attempt: 2,
      error: { message: 'the process ended during the run, 2 times' },
    });
    expect(last.minutes()).not.toContain(1);
  });

  it('that closes leaves its run to another process at once, and it counts as no crash', async () => {
    const place = site();
    const first = jobOf(place, async run => {
      await run.checkpoint('half');
      await new Promise((_, reject) => run.signal.addEventListener('abort', () => reject(run.signal.reason)));
    });
    await first.job.start();
    await place.clock.advance(minuteMs);
    await first.job.close();
    expect(first.runs[0]!.signal.reason).toBeInstanceOf(JobClosedError);
    const second = jobOf(place, () => {}, { crashes: 1 });
    await second.job.start();
    await place.clock.advance(1);
    expect(second.runs).toMatchObject([{ attempt: 2, cursor: 'half' }]);
    expect(await second.job.history()).toMatchObject([{ status: 'succeeded' }]);
  });

  it('records why its work failed, and goes on with the next tick', async () => {
    const place = site();
    let count = 0;
    const { job, minutes } = jobOf(place, () => {
      if (++count === 1) throw new TypeError('no such table');
    });
    await job.start();
    await place.clock.advance(2 * minuteMs);
    expect(minutes()).toEqual([1, 2]);
    expect(await job.history()).toMatchObject([
      { status: 'succeeded' },
      { status: 'failed', error: { name: 'TypeError', message: 'no such table' } },
    ]);
  });

  it.each(['before', 'after'] as const)(
    'survives an outage at every write, %s it was executed',
    async moment => {
      for (let nth = 1; nth <= 4; nth++) {
        const place = site();
        const { job, machine, minutes } = jobOf(place);
        await job.start();
        let writes = 0;
        machine[moment] = (method: string) => {
          if (method === 'set' && ++writes === nth) throw outage();
        };
        await place.clock.advance(minuteMs);
        await place.clock.advance(30_000);
        expect(new Set(minutes()), `write ${nth}`).toEqual(new Set([1]));
        expect(await job.history(), `write ${nth}`).toMatchObject([{ status: 'succeeded' }]);
        expect((await job.state())?.running).toEqual([]);
      }
    },
  );

  it('remembers so many runs, and those that run', async () => {
    const place = site();
    const { job } = jobOf(place, () => {}, { history: 3 });
    await job.start();
    await place.clock.advance(8 * minuteMs);
    expect((await job.history()).map(({ scheduledAt }) => place.clock.minute(scheduledAt))).toEqual([
      8, 7, 6,
    ]);
  });
});

describe('ticks that no process was there for', () => {
  it.each([
    ['once', [5], 4],
    ['skip', [], 5],
    ['all', [1, 2, 3, 4, 5], 0],
    [{ rule: 'all', max: 2 }, [4, 5], 3],
    [{ rule: 'all', deadlineMs: 150_000 }, [3, 4, 5], 2],
    [{ rule: 'once', deadlineMs: 10_000 }, [], 5],
    [{ rule: 'skip', graceMs: 40_000 }, [5], 4],
  ] as const)('with %j', async (misfire, expected, missed) => {
    const place = site();
    const first = jobOf(place);
    await first.job.start();
    await first.job.close();
    await place.clock.advance(5 * minuteMs + 30_000);
    const second = jobOf(place, () => {}, {
      misfire: misfire === 'skip' ? { rule: 'skip', graceMs: 1_000 } : misfire,
    });
    await second.job.start();
    await place.clock.advance(1);
    expect(second.minutes()).toEqual(expected);
    expect((await second.job.state())?.missed).toEqual({ late: missed, overlap: 0, paused: 0 });
    await place.clock.advance(29_999);
    expect(second.minutes()).toEqual([...expected, 6]);
  });

  it('are not postponed by a redeploy with an interval, whose times are the same in every process', async () => {
    const place = site();
    const first = jobOf(place, () => {}, { schedule: { everyMs: 600_000 } });
    await first.job.start();
    for (let deploy = 0; deploy < 12; deploy++) {
      await place.clock.advance(minuteMs);
      const { job } = jobOf(place, () => {}, { schedule: { everyMs: 600_000 } });
      await job.start();
      await job.close();
    }
    expect(first.minutes()).toEqual([10]);
  });

  it('are few, also after a year of seconds', async () => {
    const place = site();
    const options = { schedule: { everyMs: 1_000 } };
    const first = jobOf(place, () => {}, options);
    await first.job.start();
    await first.job.close();
    await place.clock.advance(365 * 24 * 60 * minuteMs);
    const second = jobOf(place, () => {}, options);
    await second.job.start();
    await place.clock.advance(1);
    expect(second.minutes()).toEqual([365 * 24 * 60]);
  });
});

describe('a tick while a run before it goes on', () => {
  const overlapping = async (overlap: NonNullable<JobOptions['overlap']>) => {
    const place = site();
    const gates = [gate(), gate(), gate(), gate(), gate()];
    const other = jobOf(place, () => {}, { overlap });
    let count = 0;
    const each = jobOf(
      place,
      async run => {
        const mine = gates[count++]!;
        run.signal.addEventListener('abort', () => mine.fail(run.signal.reason));
        await mine.opened;
      },
      { overlap },
    );
    await each.job.start();
    await place.clock.advance(minuteMs);
    await other.job.start();
    await place.clock.advance(2 * minuteMs);
    return { place, gates, each, other };
  };

  it('forbid: is not launched', async () => {
    const { place, gates, each, other } = await overlapping('forbid');
    expect(each.minutes()).toEqual([1]);
    gates[0]!.open();
    await place.clock.advance(30_000);
    expect([...each.minutes(), ...other.minutes()]).toEqual([1]);
    expect((await each.job.state())?.missed).toEqual({ late: 0, overlap: 2, paused: 0 });
    await place.clock.advance(30_000);
    expect([...each.minutes(), ...other.minutes()]).toEqual([1, 4]);
  });

  it('queue: waits, and is launched in its order', async () => {
    const { place, gates, each, other } = await overlapping('queue');
    expect(each.minutes()).toEqual([1]);
    for (const { open } of gates) open();
    await place.clock.advance(1_000);
    expect([...each.minutes(), ...other.minutes()].sort()).toEqual([1, 2, 3]);
  });

  it('replace: ends the run, and takes its place', async () => {
    const { place, each, other } = await overlapping('replace');
    expect(each.runs[0]!.signal.reason).toBeInstanceOf(RunReplacedError);
    await place.clock.advance(1);
    expect([...each.minutes(), ...other.minutes()].sort()).toEqual([1, 2, 3]);
    const history = await each.job.history();
    expect(history.map(({ status }) => status)).toContain('replaced');
  });

  it('allow: is launched beside it, by one process', async () => {
    const { each, other } = await overlapping('allow');
    expect([...each.minutes(), ...other.minutes()].sort()).toEqual([1, 2, 3]);
    expect((await each.job.state())?.running.length).toBe(each.runs.length);
  });
});

describe('a run that takes too long', () => {
  it('is closed on its record before another starts, and can write nothing more', async () => {
    const place = site();
    const refusals: unknown[] = [];
    const log: string[] = [];
    const stuck = gate();
    const { job, runs } = jobOf(
      place,
      async run => {
        if (place.clock.minute(run.scheduledAt) > 1) {
          log.push(
            (await job.history()).find(({ scheduledAt }) => place.clock.minute(scheduledAt) === 1)!.status,
          );
          return;
        }
        await stuck.opened; // Does not look at its signal
        await run.checkpoint(1).catch(error => refusals.push(error));
        expect(() => run.assertCurrent()).toThrow(RunTimeoutError);
      },
      { timeoutMs: 20_000, graceMs: 5_000, overlap: 'queue' },
    );
    await job.start();
    await place.clock.advance(minuteMs + 20_000);
    expect(runs[0]!.signal.reason).toBeInstanceOf(RunTimeoutError);
    expect((await job.history())[0]).toMatchObject({
      status: 'timed-out',
      error: { name: 'RunTimeoutError' },
    });
    // The lease is held for the time of grace
    expect((await job.state())?.running.length).toBe(1);
    await place.clock.advance(minuteMs);
    expect(log).toEqual(['timed-out']);
    stuck.open();
    await place.clock.advance(1);
    expect(refusals).toMatchObject([{ code: RunTimeoutError.code }]);
    expect((await job.history()).at(-1)).toMatchObject({ status: 'timed-out' });
  });
});

describe('operators', () => {
  it('pause and resume every process; the ticks of the pause do not come', async () => {
    const place = site();
    const first = jobOf(place);
    const second = jobOf(place);
    await Promise.all([first.job.start(), second.job.start()]);
    await place.clock.advance(minuteMs);
    await first.job.pause();
    await place.clock.advance(3 * minuteMs);
    await second.job.resume();
    await place.clock.advance(30_000);
    expect([...first.minutes(), ...second.minutes()]).toEqual([1]);
    expect((await first.job.state())?.missed.paused).toBe(3);
    await place.clock.advance(30_000);
    expect([...first.minutes(), ...second.minutes()]).toEqual([1, 5]);
  });

  it('trigger a run, also while paused, and get its record', async () => {
    const place = site();
    const { job, runs } = jobOf(place, () => 'done');
    await job.start();
    await job.pause();
    const triggered = Promise.all([job.trigger(), job.trigger()]);
    await place.clock.advance(10_000);
    const records = await triggered;
    expect(records).toMatchObject([
      { trigger: 'manual', status: 'succeeded', result: 'done' },
      { trigger: 'manual', status: 'succeeded', result: 'done' },
    ]);
    expect(runs.length).toBe(2);
    expect(records[0]!.scheduledAt).not.toBe(records[1]!.scheduledAt);
  });

  it('trigger a run without starting the schedule', async () => {
    const place = site();
    const { job, minutes } = jobOf(place);
    const triggered = job.trigger();
    await place.clock.advance(5 * minuteMs);
    expect(await triggered).toMatchObject({ status: 'succeeded' });
    expect(minutes().map(Math.round)).toEqual([0]);
    expect(job.snapshot()).toMatchObject({ state: 'idle', running: [] });
  });

  it('trigger a run of the same time for the work and its record, by a clock that has parts of milliseconds', async () => {
    const place = site();
    const { clock } = place;
    const between = {
      now: () => clock.now(),
      sleep: clock.sleep.bind(clock),
      wallMs: () => clock.wallMs() + 0.5,
    };
    const { job, runs } = jobOf(place, () => {}, { clock: between });
    const triggered = job.trigger();
    await place.clock.advance(10_000);
    expect(runs.map(({ scheduledAt }) => Number(scheduledAt))).toEqual([(await triggered).scheduledAt]);
  });

  it('trigger a run that goes on past ticks without starting the schedule, and nothing is looked at in between', async () => {
    const place = site();
    const work = gate();
    const { job, machine, minutes } = jobOf(place, () => work.opened, everyMinute);
    const ended = job.trigger();
    await place.clock.advance(1);
    // More would be looks without a rest, which let nothing else run
    machine.before = () => {
      if (machine.calls.length > 2_000) throw outage();
    };
    for (let minute = 0; minute < 3; minute++) await place.clock.advance(minuteMs);
    expect(machine.calls.length).toBeLessThan(2_000);
    work.open();
    await place.clock.advance(minuteMs);
    expect(await ended).toMatchObject({ status: 'succeeded' });
    expect(minutes()).toHaveLength(1);
  });

  it('stop waiting for a run', async () => {
    const place = site();
    const { job } = jobOf(place, () => new Promise(() => {}), { graceMs: 0 });
    const stop = new AbortController();
    const triggered = job.trigger({ signal: stop.signal });
    await place.clock.advance(1);
    stop.abort(new Error('enough'));
    await expect(triggered).rejects.toThrow('enough');
    const second = job.trigger();
    await place.clock.advance(1);
    const refused = expect(second).rejects.toThrow(JobClosedError);
    const closed = job.close();
    await place.clock.advance(10_000);
    await Promise.all([refused, closed]);
    await expect(job.trigger()).rejects.toThrow(JobClosedError);
    await expect(job.start()).rejects.toThrow(JobClosedError);
  });

  it('fill a range, which waits for ticks of the schedule', async () => {
    const place = site();
    const { job, runs, minutes } = jobOf(place);
    await job.start();
    const from = new Date(place.clock.startMs - 3 * minuteMs);
    const to = new Date(place.clock.startMs);
    expect((await job.backfill({ from, to, dryRun: true })).map(at => place.clock.minute(at))).toEqual([
      -3, -2, -1,
    ]);
    await place.clock.advance(1);
    expect(runs).toEqual([]);
    await job.backfill({ from, to, order: 'newest' });
    await job.backfill({ from, to });
    await place.clock.advance(minuteMs);
    expect(minutes()).toEqual([-1, -2, -3, 1]);
    await expect(job.backfill({ from: new Date(0), to })).rejects.toThrow(InvalidOptionError);
    await expect(job.backfill({ from: new Date('x'), to })).rejects.toThrow(InvalidOptionError);
  });
});

describe('options', () => {
  const good = { name: 'report', ...everyMinute, work: () => {} };

  it.each([
    [{ schedule: '61 * * * *' }, 'schedule'],
    [{ schedule: { everyMs: 0 } }, 'schedule.everyMs'],
    [{ schedule: { every: 5 } }, 'schedule.every'],
    [{ schedule: '0 0 30 2 *' }, 'schedule'],
    [{ timeZone: 'Mars/Phobos' }, 'timeZone'],
    [{ overlap: 'never' }, 'overlap'],
    [{ misfire: 'twice' }, 'misfire.rule'],
    [{ misfire: { rule: 'all', max: 0 } }, 'misfire.max'],
    [{ blackouts: '2026-12-24' }, 'blackouts'],
    [{ skippedHour: 'never' }, 'skippedHour'],
    [{ work: 5 }, 'work'],
    [{ store: {} }, 'store'],
    [{ clock: { now: () => 0, sleep: async () => {} } }, 'clock'],
    [{ name: '' }, 'name'],
    [{ leaseMs: 1 }, 'leaseMs'],
    [{ tick: 1 }, 'tick'],
  ])('%j is refused', (options, option) => {
    const { store, clock } = site();
    const make = () => new Job({ ...good, store, clock, ...options } as never);
    expect(make).toThrow(InvalidOptionError);
    expect(make).toThrow(expect.objectContaining({ option }));
  });

  it('says what to write in place of a client', () => {
    const { clock } = site();
    const make = () => new Job({ ...good, clock, store: new Map() } as never);
    expect(make).toThrow('got a Map; write `memoryStore()` or `redisStore({ redis })`, of @ashlar/store');
  });

  it('says when the next ticks are', () => {
    const { store, clock } = site();
    const job = new Job({ ...good, store, clock, schedule: '0 3 * * *', timeZone: 'Europe/Berlin' });
    expect(job.next(2).map(at => at.toISOString())).toEqual([
      '2026-06-02T01:00:00.000Z',
      '2026-06-03T01:00:00.000Z',
    ]);
  });
});

it('a run that was fenced has an error of its own', () => {
  expect(new RunFencedError('report', 5n)).toMatchObject({ outcome: 'NotExecuted', token: 5n });
});
