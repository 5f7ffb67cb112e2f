import { InvalidOptionError } from '@ashlar/core';
import { describe, expect, it } from 'vitest';
import { RunNotFoundError } from '../../src/index.ts';
import { jobOf } from '../support/jobs.ts';
import { preparedOf } from '../support/prepared.ts';
import { gate, minuteMs, site } from '../support/site.ts';

const hourMs = 60 * minuteMs;

describe('a backfill of a job', () => {
  it('is in the history, also when it is of long ago', async () => {
    const place = site();
    const { job, minutes } = jobOf(place, () => {}, { history: 3 });
    await job.start();
    for (let tick = 0; tick < 3; tick++) await place.clock.advance(minuteMs);
    const from = new Date(place.clock.startMs - 24 * hourMs);
    const [at] = await job.backfill({ from, to: new Date(Number(from) + 1) });
    await place.clock.advance(1);
    expect(minutes()).toEqual([1, 2, 3, -1440]);
    const [latest, ...others] = await job.history();
    expect(latest).toMatchObject({ scheduledAt: Number(at), trigger: 'backfill', status: 'succeeded' });
    expect(others.map(({ scheduledAt }) => place.clock.minute(scheduledAt))).toEqual([3, 2]);
  });

  it('launches a tick again that was launched again before', async () => {
    const place = site();
    let isBroken = true;
    const { job } = jobOf(place, () => {
      if (isBroken) throw new Error('the database is away');
    });
    await job.start();
    const to = new Date(place.clock.startMs);
    const range = { from: new Date(Number(to) - minuteMs), to };
    const [scheduledAt] = (await job.backfill(range)).map(Number);
    const run = { scheduledAt: scheduledAt!, trigger: 'backfill' } as const;
    await place.clock.advance(1);
    expect(await job.ended(run)).toMatchObject({ status: 'failed' });
    isBroken = false;
    await job.backfill(range);
    await place.clock.advance(1);
    expect(await job.ended(run)).toMatchObject({ status: 'succeeded' });
    expect(await job.history()).toHaveLength(1);
  });

  it('does not launch a tick beside itself', async () => {
    const place = site();
    const work = gate();
    const { job, minutes } = jobOf(place, () => work.opened);
    await job.start();
    const to = new Date(place.clock.startMs);
    const range = { from: new Date(Number(to) - minuteMs), to };
    await job.backfill(range);
    await place.clock.advance(1);
    await job.backfill(range);
    work.open();
    await place.clock.advance(1);
    expect(minutes()).toEqual([-1]);
  });

  it('takes no tick from the schedule, however many wait', async () => {
    const place = site();
    let working = gate();
    const { job, minutes } = jobOf(place, () => working.opened);
    await job.start();
    const to = new Date(place.clock.startMs);
    await job.backfill({ from: new Date(Number(to) - 1_000 * minuteMs), to });
    await place.clock.advance(1);
    await place.clock.advance(minuteMs); // A tick comes while a run of the range goes on
    const first = working;
    working = gate();
    first.open();
    await place.clock.advance(1);
    expect(minutes()).toEqual([-1_000, 1]);
    expect((await job.state())?.missed).toEqual({ late: 0, overlap: 0, paused: 0 });
    const before = { from: new Date(Number(to) - 2_000 * minuteMs), to };
    await expect(job.backfill({ ...before, to: new Date(Number(to) - 1_000 * minuteMs) })).rejects.toThrow(
      InvalidOptionError,
    );
    working.open();
  });

  it('can be waited for in another process; a run that there never was cannot', async () => {
    const place = site();
    const { job } = jobOf(place);
    const other = jobOf(place, () => {}, { launches: false });
    await job.start();
    const to = new Date(place.clock.startMs);
    const [at] = await other.job.backfill({ from: new Date(Number(to) - minuteMs), to });
    const ended = other.job.ended({ scheduledAt: Number(at), trigger: 'backfill' });
    await place.clock.advance(5_000);
    await place.clock.advance(5_000);
    expect(await ended).toMatchObject({ status: 'succeeded' });
    const never = job.ended({ scheduledAt: 5, trigger: 'manual' });
    await expect(never).rejects.toThrow(RunNotFoundError);
  });
});

it.each([
  [{ from: new Date('soon'), to: new Date(0) }, '`from` is an invalid Date'],
  [{ from: new Date(0), to: new Date(Number.NaN) }, '`to` is an invalid Date'],
  [
    { from: new Date(1), to: new Date(0) },
    '`from` must not be after `to`: 1970-01-01T00:00:00.001Z is after',
  ],
])('a backfill of no range is refused: %j', async (range, said) => {
  const { job } = jobOf(site());
  const filling = job.backfill(range);
  await expect(filling).rejects.toThrow(InvalidOptionError);
  await expect(filling).rejects.toThrow(said);
});

describe('a backfill of a data set', () => {
  it('reads again what has changed since a time, upon the version that there is', async () => {
    const place = site();
    let entries: (readonly [string, number])[] = [
      ['a', 1],
      ['b', 1],
    ];
    const incremental = { lookBackMs: 0 };
    const { best, contexts } = preparedOf<number>(place, () => entries, { incremental });
    await best.start();
    await best.refresh();
    await place.clock.advance(hourMs);
    entries = [['b', 2]];
    const from = new Date(place.clock.startMs - hourMs);
    expect(await best.backfill({ from })).toMatchObject({ status: 'succeeded', since: Number(from) });
    expect(contexts.at(-1)?.since).toEqual(from);
    expect([best.get('a').value, best.get('b').value]).toEqual([1, 2]);
    const future = { from: new Date(place.clock.wallMs() + hourMs) };
    await best.backfill(future);
    expect(contexts.at(-1)?.since).toEqual(new Date(place.clock.wallMs()));
  });

  it('keeps the time in the process that takes the run over', async () => {
    const place = site();
    const stuck = gate<never>();
    let isStuck = false;
    const source = async function* () {
      yield ['a', 1] as const;
      if (isStuck) await stuck.opened;
    };
    const first = preparedOf<number>(place, source, { incremental: true });
    await first.best.start();
    await first.best.refresh();
    const second = preparedOf<number>(place, () => [['a', 2]], { incremental: true });
    await second.best.start();
    isStuck = true;
    const from = new Date(place.clock.startMs - 24 * hourMs);
    const filling = first.best.backfill({ from });
    filling.catch(() => {});
    await place.clock.advance(1);
    first.machine.kill();
    for (let s = 0; s < 20; s++) await place.clock.advance(1_000);
    expect(second.contexts[0]).toMatchObject({ since: from, attempt: 2 });
    stuck.open(undefined as never);
  });

  it('is refused where every run reads everything', async () => {
    const { best } = preparedOf<number>(site(), () => [['a', 1]]);
    await expect(best.backfill({ from: new Date() })).rejects.toThrow(/refresh/);
  });
});
