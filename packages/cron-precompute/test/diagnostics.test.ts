import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect, it, onTestFinished } from 'vitest';
import { jobOf } from './support/jobs.ts';
import { preparedOf } from './support/prepared.ts';
import { minuteMs, outage, site } from './support/site.ts';

/** What is published on these channels until the test ends, in order. */
function heard(...names: readonly string[]): { readonly name: string; readonly message: unknown }[] {
  const messages: { readonly name: string; readonly message: unknown }[] = [];
  for (const name of names) {
    const channel = `ashlar:cron-precompute:${name}`;
    const listen = (message: unknown) => messages.push({ name, message });
    subscribe(channel, listen);
    onTestFinished(() => void unsubscribe(channel, listen));
  }
  return messages;
}

it('a run that begins and ends is told, with its record, and where it is taken over', async () => {
  const place = site();
  const messages = heard('run-started', 'run-ended');
  const { job } = jobOf(place, run => {
    if (run.attempt === 1) return new Promise(() => {});
    return 'done';
  });
  await job.start();
  await place.clock.advance(minuteMs);
  const closing = job.close();
  await place.clock.advance(minuteMs / 2);
  await closing;
  const second = jobOf(place, () => 'done');
  await second.job.start();
  await place.clock.advance(minuteMs / 4);
  const scheduledAt = place.clock.startMs + minuteMs;
  const run = { job: 'report', scheduledAt, trigger: 'schedule', token: expect.any(BigInt) };
  expect(messages).toEqual([
    { name: 'run-started', message: { ...run, attempt: 1 } },
    { name: 'run-ended', message: { ...run, durationMs: expect.any(Number) } },
    { name: 'run-started', message: { ...run, attempt: 2 } },
    {
      name: 'run-ended',
      message: {
        ...run,
        durationMs: expect.any(Number),
        record: expect.objectContaining({ status: 'succeeded', attempt: 2, result: 'done' }),
      },
    },
  ]);
});

it('a store that does not answer is told, and the tick is launched when it does', async () => {
  const place = site();
  const messages = heard('failed');
  const { job, machine, minutes } = jobOf(place);
  await job.start();
  machine.before = () => {
    throw outage();
  };
  await place.clock.advance(2 * minuteMs);
  expect(messages[0]).toMatchObject({
    message: { job: 'report', error: { code: 'ASHLAR_STORE_UNAVAILABLE' } },
  });
  expect(minutes()).toEqual([]);
  machine.before = () => {};
  await place.clock.advance(minuteMs / 2);
  expect(minutes()).toEqual([2]); // `misfire: 'once'`
});

it('a version that is published and loaded is told', async () => {
  const place = site();
  const messages = heard('published', 'loaded');
  const { best } = preparedOf(place, () => [['a', 1]]);
  await best.start();
  await place.clock.advance(minuteMs);
  expect(messages).toEqual([
    { name: 'published', message: { name: 'best', version: 1, entries: 1, bytes: expect.any(Number) } },
    {
      name: 'loaded',
      message: { name: 'best', version: 1, entries: 1, durationMs: expect.any(Number) },
    },
  ]);
});
