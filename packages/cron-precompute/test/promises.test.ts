import { describe, expect, it } from 'vitest';
import type { WorkWindow } from '../src/index.ts';
import { jobOf } from './support/jobs.ts';
import { preparedOf } from './support/prepared.ts';
import { gate, minuteMs, site } from './support/site.ts';

/** Sentences of the README that no other test is about. */

const hourMs = 60 * minuteMs;

describe('a schedule that is over', () => {
  const last = { schedule: '0 1 12 1 6 * 2026', pollMs: 10 * hourMs }; // A minute from now

  it('leaves what was published, and `refresh` still works', async () => {
    const place = site();
    let value = 0;
    const { best } = preparedOf<number>(place, () => [['key', ++value]], last);
    await best.start();
    await place.clock.advance(minuteMs);
    await place.clock.advance(100 * hourMs);
    expect(best.snapshot().job.isOver).toBe(true);
    expect(best.get('key')).toMatchObject({ value: 1, status: 'fresh' });
    expect(await best.refresh()).toMatchObject({ status: 'succeeded' });
    expect(best.get('key').value).toBe(2);
  });

  it('by a blackout that has no end has no next tick, and what is published stays fresh', async () => {
    const place = site();
    let isOut = false;
    const { best } = preparedOf<number>(place, () => [['key', 1]], {
      blackouts: [() => isOut],
      pollMs: 20 * minuteMs,
    });
    await best.start();
    await best.refresh();
    isOut = true;
    await best.refresh();
    expect(best.next()).toEqual([]);
    await place.clock.advance(hourMs);
    expect(best.get('key')).toMatchObject({ value: 1, status: 'fresh', version: 2 });
  });
});

describe('a window', () => {
  it('keeps a run that is triggered waiting while another waits for it to open again', async () => {
    const place = site(); // Noon
    const { job, runs } = jobOf(
      place,
      run => {
        if (run.trigger === 'manual' || run.attempt > 1) return;
        return new Promise((_, reject) =>
          run.signal.addEventListener('abort', () => reject(run.signal.reason)),
        );
      },
      { schedule: '0 13 * * *', window: { from: '13:00', to: '14:00' }, pollMs: 60_000 },
    );
    await job.start();
    await place.clock.advance(3 * hourMs);
    const triggered = job.trigger();
    await place.clock.advance(20 * hourMs);
    expect(runs.map(({ trigger }) => trigger)).toEqual(['schedule']);
    await place.clock.advance(3 * hourMs);
    expect(await triggered).toMatchObject({ status: 'succeeded' });
    expect(runs.map(({ trigger }) => trigger).slice(0, 3)).toEqual(['schedule', 'schedule', 'manual']);
  });

  /** Opens never, and counts how often it is asked. */
  function closed(asked: { times: number }): WorkWindow {
    return {
      isOpen: () => {
        asked.times++;
        return false;
      },
      opensAt: ms => ms + hourMs,
      closesAt: ms => ms + hourMs,
    };
  }

  it('is asked once at a look, however many runs wait', async () => {
    const place = site();
    const asked = { times: 0 };
    const { job, machine } = jobOf(place, () => {}, {
      overlap: 'queue',
      misfire: 'all',
      window: closed(asked),
    });
    await job.start();
    for (let minute = 0; minute < 200; minute++) await place.clock.advance(minuteMs);
    expect((await job.state())?.queue.length).toBeGreaterThan(190);
    const looks = () => machine.calls.filter(call => call === 'get cron/report/state').length;
    const [times, before] = [asked.times, looks()];
    await place.clock.advance(minuteMs);
    expect(asked.times - times).toBeLessThanOrEqual(looks() - before);
  });

  it('of its user that throws fails the run, and keeps no process from ending', async () => {
    const place = site();
    const broken: WorkWindow = {
      isOpen: () => true,
      opensAt: ms => ms + hourMs,
      closesAt: () => {
        throw new Error('no calendar');
      },
    };
    const { job } = jobOf(place, () => {}, { window: broken, crashes: 1 });
    await job.start();
    await place.clock.advance(minuteMs);
    await place.clock.advance(30_000);
    expect(await job.history()).toMatchObject([
      { status: 'failed', error: { message: expect.stringContaining('no calendar') } },
    ]);
  });
});

describe('what is read', () => {
  it('is one object for all readers of the process', async () => {
    const { best } = preparedOf<{ title: string }>(site(), () => [['key', { title: 'a' }]]);
    await best.start();
    await best.refresh();
    expect(best.get('key').value).toBe(best.get('key').value);
    expect(best.pin().get('key').value).toBe(best.get('key').value);
  });

  it('is still read after `close`', async () => {
    const { best } = preparedOf<number>(site(), () => [['key', 1]]);
    await best.start();
    await best.refresh();
    await best.close();
    expect(best.get('key').value).toBe(1);
    await expect(best.refresh()).rejects.toMatchObject({ code: 'ASHLAR_CRON_PRECOMPUTE_CLOSED' });
  });
});

it('work that ignores its signal after `graceMs` can publish nothing', async () => {
  const place = site();
  const stuck = gate();
  let value = 0;
  const { best } = preparedOf<number>(
    place,
    async function* () {
      const mine = ++value;
      if (mine === 1) await stuck.opened;
      yield ['key', mine] as const;
    },
    { overlap: 'replace', graceMs: 1_000 },
  );
  await best.start();
  await place.clock.advance(2 * minuteMs + 2_000);
  expect(best.get('key').value).toBe(2);
  stuck.open();
  await place.clock.advance(20_000);
  expect((await best.versions()).length).toBe(1);
  expect((await best.history()).map(({ status }) => status)).toEqual(['succeeded', 'replaced']);
});
