import { expect, it } from 'vitest';
import { jobOf } from '../support/jobs.ts';
import { preparedOf, uniform } from '../support/prepared.ts';
import { gate, site } from '../support/site.ts';

const one = uniform(2, () => 1);

/** `refresh` is wanted now, whatever time its process believes it is. */

it('publishes at once after a rollback has ended', async () => {
  const place = site();
  const { best } = preparedOf(place, one);
  await best.refresh();
  await best.refresh();
  await place.clock.advance(1_000);
  await best.rollback();
  await best.resume();
  expect(await best.refresh()).toMatchObject({ status: 'succeeded' });
  expect((await best.versions()).map(({ version }) => version)).toEqual([1, 2, 3]);
});

it('publishes in a process whose clock is behind that of the one that has published', async () => {
  const place = site();
  const { clock } = place;
  const ahead = {
    now: () => clock.now(),
    sleep: clock.sleep.bind(clock),
    wallMs: () => clock.wallMs() + 20_000,
  };
  const first = preparedOf(place, one, { clock: ahead });
  const second = preparedOf(place, one);
  await second.best.start();
  await first.best.refresh();
  expect(await second.best.refresh()).toMatchObject({ status: 'succeeded' });
  expect(await first.best.refresh()).toMatchObject({ status: 'succeeded' });
  expect(await second.best.versions()).toHaveLength(3);
});

it('is a run of its own, also when another of the same time has ended meanwhile', async () => {
  const place = site();
  const isFree = gate();
  const [first, second] = [jobOf(place), jobOf(place)];
  await first.job.start();
  second.machine.before = (method, key) =>
    method === 'set' && key.endsWith('/state') ? isFree.opened : undefined;
  const later = second.job.trigger(); // On its way to the queue
  await place.clock.advance(0);
  const earlier = await first.job.trigger();
  isFree.open();
  expect((await later).scheduledAt).toBeGreaterThan(earlier.scheduledAt);
  expect(first.runs.length + second.runs.length).toBe(2);
});
