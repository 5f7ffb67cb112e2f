import { expect, it } from 'vitest';
import { preparedOf, uniform } from './precompute-support.ts';
import { site } from './support.ts';

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
