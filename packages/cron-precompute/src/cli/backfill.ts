import { type Command, type Flags, type GivenFlags, UsageError } from '@workspace/program';
import type { Precompute } from '../precompute.ts';
import type { Job } from '../runs/job.ts';
import { historyHead, historyRow } from './lines.ts';
import { print, printJson } from './print.ts';
import { configFlag, isDataSet, withLive } from './target.ts';
import { runningText, Watch } from './watch.ts';

const flags: Flags = {
  ...configFlag,
  from: { value: 'TIME', help: 'the first time that may be a tick, as 2026-12-24 or 2026-12-24T18:00:00Z' },
  to: { value: 'TIME', help: 'ticks are before this time; not of a data set' },
  order: { value: 'ORDER', help: '`oldest` or `newest` first (default oldest)' },
  max: { value: 'COUNT', help: 'more ticks than this are refused (default 1000)' },
  'dry-run': { help: 'lists the ticks, and launches nothing' },
  wait: { help: 'waits until each has ended, and launches those that wait here too' },
  json: { help: 'print JSON' },
};

/** `backfill`: of a job the ticks of a range, of a data set what has changed since a time. */
export function backfillCommand(signal: AbortSignal): Command {
  return {
    name: 'backfill',
    about:
      'Launches the ticks of a range again, while nothing else waits. Of an `incremental` data set: reads again what has changed\n' +
      'since --from, upon the version that there is, and waits for its end.',
    flags,
    run: given => {
      const from = timeOf(given, 'from');
      if (from === undefined) throw new UsageError('--from is needed: --from 2026-12-24');
      return withLive(given, live =>
        isDataSet(live) ? ofDataSet(live, from, given, signal) : ofJob(live, from, given, signal),
      );
    },
  };
}

async function ofDataSet(
  live: Precompute<unknown, unknown>,
  from: Date,
  given: GivenFlags,
  signal: AbortSignal,
): Promise<number> {
  for (const flag of ['to', 'order', 'max', 'dry-run']) {
    if (given.has(flag)) throw new UsageError(`--${flag} is for a Job, and ${live.name} is a Precompute`);
  }
  using _ = new Watch(() => runningText(live.snapshot().job.running, () => live.history()));
  const record = await live.backfill({ from, signal });
  if (given.has('json')) printJson(record);
  else print([historyHead, historyRow(record)]);
  return record.status === 'succeeded' ? 0 : 1;
}

async function ofJob(job: Job, from: Date, given: GivenFlags, signal: AbortSignal): Promise<number> {
  const to = timeOf(given, 'to') ?? new Date();
  const order = given.get('order') ?? 'oldest';
  if (order !== 'oldest' && order !== 'newest') {
    throw new UsageError(`--order must be oldest or newest, got ${JSON.stringify(order)}`);
  }
  const max = given.integer('max', 1_000, [1, 1_000]);
  const dryRun = given.has('dry-run');
  const ticks = await job.backfill({ from, to, order, max, dryRun });
  const times = ticks.map(tick => tick.toISOString());
  if (dryRun || !given.has('wait')) {
    if (given.has('json')) return printJson({ launched: !dryRun, ticks: times });
    return print(
      [...times, `${times.length} ticks ${dryRun ? 'would wait' : 'wait'} to be launched again`].join('\n'),
    );
  }
  let done = 0;
  let failed = 0;
  {
    using _ = new Watch(() => `backfill: ${done} of ${ticks.length}`);
    // One after the other: that is also the order in which they are launched
    for (const tick of ticks) {
      const { status } = await job.ended({ scheduledAt: Number(tick), trigger: 'backfill' }, { signal });
      done++;
      if (status !== 'succeeded') failed++;
    }
  }
  if (given.has('json')) printJson({ launched: true, ticks: times, failed });
  else print(`${done} ticks were launched again, ${failed} of them have not succeeded`);
  return failed === 0 ? 0 : 1;
}

function timeOf(given: GivenFlags, flag: 'from' | 'to'): Date | undefined {
  const text = given.get(flag);
  if (text === undefined) return undefined;
  const time = new Date(text);
  // What has no zone would be a time of this machine
  const hasZone = /^\d{4}-\d\d-\d\d(T.*(Z|[+-]\d\d:?\d\d))?$/.test(text);
  if (hasZone && !Number.isNaN(time.getTime())) return time;
  throw new UsageError(
    `--${flag} must be a time as 2026-12-24 or 2026-12-24T18:00:00Z, got ${JSON.stringify(text)}`,
  );
}
