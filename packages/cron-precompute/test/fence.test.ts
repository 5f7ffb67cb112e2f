import { expect, it } from 'vitest';
import type { FencedRun } from '../src/index.ts';
import { jobOf } from './job-support.ts';
import { minuteMs, outage, site } from './support.ts';

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
