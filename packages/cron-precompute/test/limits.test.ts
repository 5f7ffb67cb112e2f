import { describe, expect, it } from 'vitest';
import { tableFor } from '../src/read/shared/table-builder.ts';
import { jitterOf } from '../src/schedule/jitter.ts';
import { jobOf } from './support/jobs.ts';
import { preparedOf } from './support/prepared.ts';
import { gate, minuteMs, site } from './support/site.ts';

const everySecond = { schedule: { everyMs: 1_000 } } as const;

describe('ticks', () => {
  it('at most 1 000 wait, the others are counted', async () => {
    const place = site();
    const stuck = gate();
    const { job } = jobOf(place, () => stuck.opened, {
      ...everySecond,
      overlap: 'queue',
      misfire: { rule: 'all', max: 1_000 },
    });
    await job.start();
    await place.clock.advance(1_200_000);
    const state = (await job.state())!;
    expect(state.queue).toHaveLength(1_000);
    expect(state.missed).toEqual({ late: 0, overlap: 199, paused: 0 });
    stuck.open();
  });

  it('of more than 1 000 that were missed, the count says 1 000', async () => {
    const place = site();
    const first = jobOf(place, () => {}, everySecond);
    await first.job.start();
    await first.job.close();
    await place.clock.advance(5_000_000);
    const second = jobOf(place, () => {}, everySecond);
    await second.job.start();
    await place.clock.advance(100);
    expect(second.runs.map(run => Number(run.scheduledAt) - place.clock.startMs)).toEqual([5_000_000]);
    expect((await second.job.state())!.missed.late).toBe(999); // And the one that was launched
  });

  it('of a clock that is ahead come early, and the others leave them to it', async () => {
    const place = site();
    const ahead = {
      now: () => place.clock.now(),
      sleep: (ms: number, signal?: AbortSignal) => place.clock.sleep(ms, signal),
      wallMs: () => place.clock.wallMs() + 30_000,
    };
    const early = jobOf(place, () => {}, { clock: ahead });
    const other = jobOf(place);
    await Promise.all([early.job.start(), other.job.start()]);
    await place.clock.advance(3 * minuteMs + 1);
    expect([early.minutes(), other.minutes()]).toEqual([[1, 2, 3], []]);
  });

  it('are launched later by the jitter of the job and the tick, the same in every process', async () => {
    const place = site();
    const at: number[] = [];
    const options = { jitterMs: 30_000 };
    const jobs = [1, 2, 3].map(() => jobOf(place, () => void at.push(place.clock.wallMs()), options));
    await Promise.all(jobs.map(({ job }) => job.start()));
    await place.clock.advance(4 * minuteMs);
    const ticks = [1, 2, 3].map(minute => place.clock.startMs + minute * minuteMs);
    expect(at).toEqual(ticks.map(tick => tick + jitterOf('report', tick, 30_000)));
  });

  it('are all launched, in their order, with a jitter of more than the time between them', async () => {
    const place = site();
    const { job, minutes } = jobOf(place, () => {}, { jitterMs: 3 * minuteMs, misfire: 'all' });
    await job.start();
    for (let minute = 0; minute < 20; minute++) await place.clock.advance(minuteMs);
    expect(minutes()).toEqual(Array.from({ length: 19 }, (_, index) => index + 1));
    expect((await job.state())?.missed).toEqual({ late: 0, overlap: 0, paused: 0 });
  });

  it('of a hundred processes that start at once are those of one', async () => {
    const place = site();
    const jobs = Array.from({ length: 100 }, () => jobOf(place));
    await Promise.all(jobs.map(({ job }) => job.start()));
    await place.clock.advance(2 * minuteMs + 5_001);
    expect(jobs.flatMap(each => each.minutes()).sort()).toEqual([1, 2]);
  });
});

it('one gate slows several jobs, and short work goes on without a pause', async () => {
  const place = site();
  const half = { share: () => 0.5 };
  const ended: number[] = [];
  const isDue: boolean[] = [];
  const jobs = ['a', 'b'].map(name =>
    jobOf(
      place,
      async run => {
        isDue.push(run.isTurnDue);
        for (let part = 0; part < 3; part++) {
          await run.turn();
          await place.clock.sleep(1_000);
          isDue.push(run.isTurnDue);
        }
        ended.push(place.clock.wallMs() - Number(run.scheduledAt));
      },
      { name, gate: half },
    ),
  );
  await Promise.all(jobs.map(({ job }) => job.start()));
  await place.clock.advance(minuteMs + 10_000);
  expect(ended).toEqual([5_000, 5_000]);
  expect([isDue.filter(Boolean), isDue.filter(due => !due)].map(({ length }) => length)).toEqual([6, 2]);
});

it('sinks have the keys that `keyFrom` makes of their texts', async () => {
  const place = site();
  const written = new Map<unknown, unknown>();
  const sink = {
    set: async (key: unknown, value: unknown) => void written.set(key, value),
    delete: async (key: unknown) => void written.delete(key),
  };
  let keys = [1, 2];
  const { best } = preparedOf(place, () => keys.map(key => [key as never, 1] as const), {
    keyFrom: text => Number(text) as never,
    sinks: [sink],
  });
  const refreshed = async () => {
    const refreshing = best.refresh();
    await place.clock.advance(1_000);
    await refreshing;
  };
  await refreshed();
  keys = [2, 3];
  await best.start();
  await refreshed();
  expect([...written.keys()]).toEqual([2, 3]);
});

it('a shared version of 4 GiB is refused', () => {
  expect(() => tableFor({ bytes: 2 ** 32, chunks: [] } as never)).toThrow(RangeError);
});
