import { describe, expect, it, onTestFinished } from 'vitest';
import { Job, type JobOptions, type RunContext, WindowClosedError } from '../../src/index.ts';
import { HourWindow } from '../../src/windows/hours.ts';
import { ending, gate, site } from '../support/site.ts';

const hourMs = 3_600_000;

describe('a window', () => {
  it('is open from its first minute to its last, also over midnight', () => {
    const day = new HourWindow({ from: '09:00', to: '17:30' }, 'Europe/Berlin');
    const night = new HourWindow({ from: '22:00', to: '06:00' }, 'Europe/Berlin');
    const at = (window: HourWindow, time: string) => window.isOpen(Date.parse(`2026-06-01T${time}+02:00`));
    const times = [
      '08:59:59',
      '09:00:00',
      '17:29:59',
      '17:30:00',
      '21:59:59',
      '22:00:00',
      '05:59:59',
      '06:00:00',
    ];
    expect(times.map(time => at(day, time))).toEqual([false, true, true, false, false, false, false, false]);
    expect(times.map(time => at(night, time))).toEqual([
      false,
      false,
      false,
      false,
      false,
      true,
      true,
      false,
    ]);
  });

  it('is an hour shorter or longer when clocks change in it', () => {
    const night = new HourWindow({ from: '01:00', to: '06:00' }, 'Europe/Berlin');
    const hours = (date: string) => {
      const opens = night.opensAt(Date.parse(date));
      return (night.closesAt(opens) - opens) / hourMs;
    };
    expect(['2026-03-28T12:00:00Z', '2026-06-01T12:00:00Z', '2026-10-24T12:00:00Z'].map(hours)).toEqual([
      4, 5, 6,
    ]);
  });

  it.each([
    [{ from: '01:00', to: '01:00' }, 'window'],
    [{ from: '1:00', to: '06:00' }, 'window.from'],
    [{ from: '01:00', to: '24:00' }, 'window.to'],
    [{ from: '01:00', until: '06:00' }, 'window.until'],
    ['01:00–06:00', 'window'],
  ])('%j is refused', (window, option) => {
    const { store, clock } = site();
    const make = () =>
      new Job({ name: 'a', schedule: '* * * * *', store, clock, work: () => {}, window } as never);
    expect(make).toThrow(expect.objectContaining({ code: 'ASHLAR_CORE_INVALID_OPTION', option }));
  });
});

describe('a job with a window', () => {
  function nightly(
    place: ReturnType<typeof site>,
    work: (run: RunContext) => unknown,
    options: Partial<JobOptions> = {},
  ) {
    const machine = place.machine();
    const runs: RunContext[] = [];
    const job = ending(
      new Job({
        name: 'report',
        schedule: '0 1 * * *',
        window: { from: '01:00', to: '06:00' },
        store: machine.store,
        clock: place.clock,
        pollMs: 60_000,
        work: run => {
          runs.push(run);
          return work(run);
        },
        ...options,
      }),
    );
    onTestFinished(() => machine.bury());
    return { job, runs };
  }

  it('stops at its end, and goes on from its checkpoint the next night, before the tick of that', async () => {
    const place = site();
    const { job, runs } = nightly(place, async run => {
      if (run.attempt > 1 || runs.length > 1) return;
      await run.checkpoint('half');
      await new Promise((_, reject) => run.signal.addEventListener('abort', () => reject(run.signal.reason)));
    });
    await job.start();
    await place.clock.advance(18 * hourMs - 1); // 05:59:59.999
    expect(runs[0]!.signal.aborted).toBe(false);
    await place.clock.advance(1);
    expect(runs[0]!.signal.reason).toBeInstanceOf(WindowClosedError);
    await place.clock.advance(19 * hourMs - 1);
    expect(runs.length).toBe(1);
    expect(await job.history()).toMatchObject([{ status: 'running', cursor: 'half' }]);
    await place.clock.advance(1_000);
    expect(runs.map(({ attempt, cursor }) => [attempt, cursor])).toEqual([
      [1, undefined],
      [2, 'half'],
      [1, undefined],
    ]);
    expect((await job.history()).map(({ status }) => status)).toEqual(['succeeded', 'succeeded']);
  });

  it('launches a tick of the day at night, and what is triggered at once', async () => {
    const place = site();
    const done = gate();
    const { job, runs } = nightly(place, () => done.open(), { schedule: '0 14 * * *' });
    await job.start();
    await place.clock.advance(3 * hourMs);
    expect(runs).toEqual([]);
    const triggered = job.trigger();
    await place.clock.advance(60_000);
    expect(await triggered).toMatchObject({ status: 'succeeded' });
    await place.clock.advance(10 * hourMs);
    expect(runs.map(({ trigger }) => trigger)).toEqual(['manual', 'schedule']);
  });
});
