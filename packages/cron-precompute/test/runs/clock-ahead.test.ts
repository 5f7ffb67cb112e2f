import { expect, it } from 'vitest';
import { jobOf } from '../support/jobs.ts';
import { preparedOf } from '../support/prepared.ts';
import { minuteMs, site } from '../support/site.ts';

const yearMs = 365 * 24 * 60 * minuteMs;

/** A place whose time of day may be ahead of the true one. */
function skewed() {
  const place = site();
  const { clock } = place;
  const skew = { ms: 0 };
  const wrong = {
    now: () => clock.now(),
    sleep: clock.sleep.bind(clock),
    wallMs: () => clock.wallMs() + skew.ms,
  };
  return { place, skew, clock: wrong };
}

// robfig/cron 480, dbader/schedule 323, quartz 270, pg_cron 105, sidekiq-scheduler 283
it('a clock that was a year ahead keeps a job from its ticks until `resume`, in every process', async () => {
  const { place, skew, clock } = skewed();
  const wrong = jobOf(place, () => {}, { clock });
  const right = jobOf(place);
  await wrong.job.start();
  await place.clock.advance(minuteMs);
  skew.ms = yearMs;
  await place.clock.advance(minuteMs);
  skew.ms = 0;
  await right.job.start();
  await place.clock.advance(minuteMs);
  expect([...wrong.minutes(), ...right.minutes()].filter(minute => minute < 100)).toEqual([1]);
  await right.job.resume();
  await place.clock.advance(minuteMs);
  await place.clock.advance(minuteMs);
  const since = [...wrong.minutes(), ...right.minutes()].filter(minute => minute > 1 && minute < 100);
  expect(since.sort((a, b) => a - b)).toEqual([4, 5]);
});

it('and a data set from what it publishes', async () => {
  const { place, skew, clock } = skewed();
  let value = 0;
  const { best } = preparedOf(place, () => [['a', ++value]], { clock });
  await best.start();
  await place.clock.advance(minuteMs);
  skew.ms = yearMs;
  await place.clock.advance(minuteMs);
  skew.ms = 0;
  await place.clock.advance(minuteMs);
  const before = value;
  await best.resume();
  await place.clock.advance(minuteMs);
  expect(value).toBe(before + 1);
  expect(best.get('a').value).toBe(value);
  expect((await best.history())[0]?.status).toBe('succeeded');
});

it('a clock that was some seconds ahead brings no tick again by `resume`', async () => {
  const { place, skew, clock } = skewed();
  const { job, minutes } = jobOf(place, () => {}, { clock });
  await job.start();
  skew.ms = 20_000;
  await place.clock.advance(minuteMs - 10_000);
  skew.ms = 0;
  expect(minutes()).toEqual([1]);
  await job.resume();
  await job.pause();
  await job.resume();
  await place.clock.advance(10_000);
  await place.clock.advance(minuteMs);
  expect(minutes()).toEqual([1, 2]);
});
