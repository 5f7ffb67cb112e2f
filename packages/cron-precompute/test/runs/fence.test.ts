import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect, it, onTestFinished } from 'vitest';
import type { FencedRun, RunEndedMessage } from '../../src/index.ts';
import { jobOf } from '../support/jobs.ts';
import { preparedOf } from '../support/prepared.ts';
import { gate, minuteMs, outage, site } from '../support/site.ts';

it.each([
  [false, 'timed-out'],
  [true, 'succeeded'],
])(
  'a run that has timed out is fenced before another starts; that it has done its work is %s',
  async (isDone, status) => {
    const place = site();
    const order: string[] = [];
    const fenced: FencedRun[] = [];
    let isAway = true;
    const { job, runs } = jobOf(
      place,
      run => {
        order.push(`run ${run.attempt}`);
        return new Promise((_, reject) =>
          run.signal.addEventListener('abort', () => reject(run.signal.reason)),
        );
      },
      {
        timeoutMs: 10_000,
        graceMs: 1_000,
        fence: async run => {
          if (isAway) {
            isAway = false;
            throw outage(); // It is asked again
          }
          order.push('fence');
          fenced.push(run);
          return isDone;
        },
      },
    );
    await job.start();
    await place.clock.advance(2 * minuteMs + 1_000);
    expect(order).toEqual(['run 1', 'fence', 'run 1']);
    const { scheduledAt, token, holder } = runs[0]!;
    expect(fenced).toEqual([{ scheduledAt, token, holder }]);
    const first = (await job.history()).at(-1);
    expect(first).toMatchObject({ status, scheduledAt: Number(scheduledAt) });
  },
);

it.each([
  ['its publish arrives late', 'late'],
  ['the answer to its publish is lost', 'lost'],
] as const)('a run that was replaced is recorded as what it has done when %s', async (_, what) => {
  const place = site();
  const replaced = gate();
  const { best, machine } = preparedOf(place, () => [['key', 1]], { overlap: 'replace', graceMs: 0 });
  let writes = 0;
  const isPublish = (method: string, key: string) =>
    method === 'set' && key.endsWith('/pointer') && ++writes === 2;
  if (what === 'late') {
    machine.before = async (method, key) => {
      if (isPublish(method, key)) await replaced.opened;
    };
  } else {
    machine.after = async (method, key) => {
      if (!isPublish(method, key)) return;
      await replaced.opened;
      throw outage();
    };
  }
  const listen = (message: unknown) => {
    const { record } = message as RunEndedMessage;
    if (record?.status === 'replaced') replaced.open();
  };
  subscribe('ashlar:cron-precompute:run-ended', listen);
  onTestFinished(() => void unsubscribe('ashlar:cron-precompute:run-ended', listen));
  onTestFinished(() => replaced.open());
  await best.start();
  await place.clock.advance(minuteMs); // It begins to publish
  await place.clock.advance(minuteMs); // It is replaced
  if (what === 'lost') replaced.open();
  await place.clock.advance(minuteMs - 1);
  const versions = await best.versions();
  const history = await best.history();
  for (const { scheduledAt, status } of history) {
    const isPublished = versions.some(version => version.scheduledAt === scheduledAt);
    expect({ minute: place.clock.minute(scheduledAt), isPublished, status }).toEqual({
      minute: place.clock.minute(scheduledAt),
      isPublished,
      status: isPublished ? 'succeeded' : 'replaced',
    });
  }
  expect(history.length).toBeGreaterThan(1);
});
