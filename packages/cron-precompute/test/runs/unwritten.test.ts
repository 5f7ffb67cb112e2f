import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { maxValueBytes } from '@ashlar/store';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { RunContext, RunRecord } from '../../src/index.ts';
import { jobOf } from '../support/jobs.ts';
import { minuteMs, outage, site } from '../support/site.ts';

/** What a run leaves that no record can keep: it is no crash, and its cause is told. */

const ring: Record<string, unknown> = {};
ring['ring'] = ring;

/** The record of one run of the work, however often it was taken over. */
async function ran(
  work: (run: RunContext) => unknown,
  prepare: (before: { before: (method: string, key: string) => unknown }) => void = () => {},
): Promise<{ record: RunRecord; attempts: number; channel: unknown[] }> {
  const place = site();
  const channel: unknown[] = [];
  const listen = (message: unknown) => channel.push(message);
  for (const name of ['result-dropped', 'run-ended']) {
    subscribe(`ashlar:cron-precompute:${name}`, listen);
    onTestFinished(() => void unsubscribe(`ashlar:cron-precompute:${name}`, listen));
  }
  const { job, machine, runs } = jobOf(place, work, { schedule: '0 0 * * *' });
  prepare(machine);
  const triggered = job.trigger();
  await place.clock.advance(2 * minuteMs);
  return { record: await triggered, attempts: runs.length, channel };
}

describe('a progress', () => {
  it.each([
    ['NaN', Number.NaN, 3],
    ['a text', 'x', 3],
    ['less than nothing', -1, 3],
    ['nothing', undefined, 3],
    ['an endless total', 1, Number.POSITIVE_INFINITY],
    ['a total of text', 1, '3'],
  ])('of %s is refused at once, and fails the run', async (_, done, total) => {
    const { record, attempts } = await ran(run => run.progress(done as number, total as number));
    expect(record).toMatchObject({ status: 'failed', error: { code: 'ASHLAR_CORE_INVALID_OPTION' } });
    expect(attempts).toBe(1);
  });

  it('of more than the total is kept, as rows come meanwhile, and of next to nothing', async () => {
    const { record } = await ran(async run => {
      run.progress(Number.MIN_VALUE, 3);
      await run.checkpoint(1);
      run.progress(5, 3);
    });
    expect(record).toMatchObject({ status: 'succeeded', progress: { done: 5, total: 3, etaMs: 0 } });
  });
});

describe('a result', () => {
  it.each([
    ['a bigint', 1n, 'bigint'],
    ['a Date', new Date(0), 'Date'],
    ['a Map', new Map([[1, 2]]), 'Map'],
    ['a bigint within', { total: 5n }, '5 (bigint) at "total"'],
    ['a circle', ring, 'circular'],
    ['10 001 characters', 'x'.repeat(9_999), '10001 characters'],
  ])('that is %s is dropped, and the record and a channel say why', async (_, result, said) => {
    const { record, attempts, channel } = await ran(() => result);
    expect(record).toMatchObject({ status: 'succeeded', resultDropped: expect.stringContaining(said) });
    expect(record).not.toHaveProperty('result');
    expect(attempts).toBe(1);
    expect(channel).toMatchObject([
      { job: 'report', trigger: 'manual', error: { message: record.resultDropped } },
      { record: { resultDropped: record.resultDropped } },
    ]);
  });

  it('that JSON keeps is on the record', async () => {
    const { record, channel } = await ran(() => ({ pages: 3, skipped: undefined }));
    expect(record).toMatchObject({ status: 'succeeded', result: { pages: 3 } });
    expect(record).not.toHaveProperty('resultDropped');
    expect(channel).toHaveLength(1);
  });
});

describe('a run ends once, with its cause', () => {
  it.each([
    [
      'an error whose message throws',
      Object.defineProperty(new Error(), 'message', { get: () => fail() }),
      'cannot be read',
    ],
    ['an error whose name is a bigint', Object.assign(new Error('away'), { name: 1n }), 'away'],
    ['an error whose message is no text', Object.assign(new Error(), { message: { a: 1 } }), 'object'],
    ['what has no text', Object.create(null), 'cannot be read'],
  ])('when its work throws %s', async (_, error, said) => {
    const { record, attempts } = await ran(() => Promise.reject(error));
    expect(record).toMatchObject({ status: 'failed', error: { message: expect.stringContaining(said) } });
    expect(attempts).toBe(1);
  });

  it('when its cursor was changed to what JSON does not keep', async () => {
    const { record, attempts } = await ran(async run => {
      const cursor: unknown[] = [1];
      await run.checkpoint(cursor);
      cursor.push(1n);
      return 'done';
    });
    expect(record).toMatchObject({ status: 'succeeded', resultDropped: expect.stringContaining('bigint') });
    expect(attempts).toBe(1);
  });

  it('when a checkpoint leaves no room for its result', async () => {
    const { record, attempts } = await ran(async run => {
      for (let size = maxValueBytes; ; size -= 1_000) {
        if (
          await run.checkpoint('x'.repeat(size)).then(
            () => true,
            () => false,
          )
        )
          break;
      }
      return 'y'.repeat(9_000);
    });
    expect(record).toMatchObject({ status: 'succeeded', resultDropped: expect.stringContaining('bytes') });
    expect(attempts).toBe(1);
  });
});

describe('a store', () => {
  it('that refuses the records of ended runs is their cause, and the last attempt has it', async () => {
    const { record, attempts } = await ran(
      () => 'done',
      machine => {
        let refusals = 6; // Each attempt tries twice
        let writes = 0;
        machine.before = (method, key) => {
          if (method !== 'set' || !key.includes('/runs/')) return;
          const isBegin = writes % 3 === 0;
          writes++;
          if (isBegin || refusals-- <= 0) return;
          throw new TypeError('NOPERM of this test');
        };
      },
    );
    expect(record).toMatchObject({
      status: 'failed',
      error: { name: 'TypeError', message: 'the run could not be recorded: NOPERM of this test' },
    });
    expect(attempts).toBe(3);
  });

  it('that is away while a run begins costs no attempt', async () => {
    let outages = 5; // More than `crashes`
    const { record, attempts } = await ran(
      () => 'done',
      machine => {
        machine.before = (method, key) => {
          if (method === 'set' && key.includes('/runs/') && outages-- > 0) throw outage();
        };
      },
    );
    expect(record).toMatchObject({ status: 'succeeded', attempt: 1 });
    expect(attempts).toBe(1);
  });

  it('that refuses every record of a run does not keep the next tick waiting', async () => {
    const place = site();
    const { job, machine, minutes } = jobOf(place);
    let isRefusing = true;
    machine.before = (method, key) => {
      if (isRefusing && method === 'set' && key.includes('/runs/'))
        throw new TypeError('NOPERM of this test');
    };
    await job.start();
    await place.clock.advance(minuteMs + 30_000);
    isRefusing = false;
    await place.clock.advance(minuteMs);
    expect(minutes()).toEqual([2]);
  });
});

function fail(): never {
  throw new Error('unreadable');
}
