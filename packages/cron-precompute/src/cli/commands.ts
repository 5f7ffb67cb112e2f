import { type Command, type Flags, type GivenFlags, UsageError } from '@workspace/program';
import { cronSchedule } from '../schedule/cron-schedule.ts';
import { backfillCommand } from './backfill.ts';
import { historyHead, historyRow, versionRow, versionsHead } from './lines.ts';
import { print, printJson } from './print.ts';
import { configFlag, isDataSet, storeFlags, withLive, withStored } from './target.ts';
import { runningText, Watch } from './watch.ts';

const json: Flags = { json: { help: 'print JSON' } };
const codes =
  'Exit codes: 0 done, 1 failed, or a run has not succeeded, 2 the command line cannot be used, 130 stopped by Ctrl-C.';

export const overview: string = `Looks at the jobs and data sets of @ashlar/cron-precompute, and mends them.

  npx @ashlar/cron-precompute COMMAND --config FILE [--json]
  npx @ashlar/cron-precompute history|versions|rollback --url redis://localhost:6379 --name NAME [--json]
  npx @ashlar/cron-precompute next --schedule '0 3 * * *' --time-zone Europe/Berlin

  next       the next times of the schedule
  history    the runs that are remembered, the latest first
  versions   the versions that are kept
  trigger    launches a run now, and waits for its end
  backfill   launches the ticks of a range again; of a data set, reads again what has changed since a time
  rollback   serves an older version, and holds publishing until \`resume\`
  pause      launches no more ticks, in every process
  resume     ends a pause, and the hold of a rollback

COMMAND --help shows its flags. ${codes}
`;

/** Each command, given the signal of Ctrl-C. */
export const commands: Readonly<Record<string, (signal: AbortSignal) => Command>> = {
  next: () => ({
    name: 'next',
    about: 'Prints the next times of a schedule.',
    flags: {
      ...configFlag,
      schedule: { value: 'PATTERN', help: 'a cron pattern, instead of --config' },
      'time-zone': { value: 'ZONE', help: 'the IANA zone of --schedule (default UTC)' },
      count: { value: 'COUNT', help: 'how many (default 5)' },
      ...json,
    },
    notes: codes,
    run: async given => {
      given.exclusive('config', 'schedule');
      given.exclusive('config', 'time-zone');
      const count = given.integer('count', 5, [1, 1_000]);
      const pattern = given.get('schedule');
      if (pattern === undefined && !given.has('config')) {
        throw new UsageError("say which schedule: --config FILE, or --schedule '0 3 * * *'");
      }
      const times =
        pattern === undefined
          ? await withLive(given, async live => live.next(count))
          : nextOf(pattern, given.get('time-zone'), count);
      if (given.has('json')) return printJson(times.map(time => time.toISOString()));
      if (times.length === 0) return print('none: no tick comes any more');
      return print(times.map(time => time.toISOString()).join('\n'));
    },
  }),
  history: () => ({
    name: 'history',
    about: 'Lists the runs that are remembered, the latest first.',
    flags: {
      ...storeFlags,
      limit: { value: 'COUNT', help: 'at most so many (default: all)' },
      status: { value: 'STATUS', help: 'only those that are so, as `failed`' },
      json: { help: 'print one JSON object a line, with all that is known' },
    },
    notes: codes,
    run: given =>
      withStored(given, async stored => {
        const limit = given.integer('limit', Infinity, [1, Number.MAX_SAFE_INTEGER]);
        const status = given.get('status');
        const all = await stored.history();
        const runs = all.filter(run => status === undefined || run.status === status).slice(0, limit);
        if (given.has('json')) return printLines(runs);
        if (runs.length === 0) return print(`no runs of ${stored.name}`);
        return print([historyHead, ...runs.map(historyRow)]);
      }),
  }),
  versions: () => ({
    name: 'versions',
    about: 'Lists the versions that are kept, the oldest first.',
    flags: { ...storeFlags, json: { help: 'print one JSON object a line' } },
    notes: codes,
    run: given =>
      withStored(given, async stored => {
        const versions = await stored.versions();
        if (given.has('json')) return printLines(versions);
        if (versions.length === 0) return print(`no versions of ${stored.name}`);
        return print([versionsHead, ...versions.map(versionRow)]);
      }),
  }),
  trigger: signal => ({
    name: 'trigger',
    about:
      'Launches a run now, in one of the processes, which may be this one, and waits for its end. Stopped with Ctrl-C, the run\n' +
      'is left to other processes.',
    flags: { ...configFlag, ...json },
    notes: codes,
    run: given =>
      withLive(given, async live => {
        const here = () => (isDataSet(live) ? live.snapshot().job : live.snapshot()).running;
        using _ = new Watch(() => runningText(here(), () => live.history()));
        const record = await (isDataSet(live) ? live.refresh({ signal }) : live.trigger({ signal }));
        if (given.has('json')) printJson(record);
        else print([historyHead, historyRow(record)]);
        return record.status === 'succeeded' ? 0 : 1;
      }),
  }),
  backfill: backfillCommand,
  rollback: () => ({
    name: 'rollback',
    about:
      'Serves an older version in every process, after reading every part of it, and holds publishing until `resume`.',
    flags: { ...storeFlags, to: { value: 'VERSION', help: 'its number (default: the one before)' }, ...json },
    notes: codes,
    run: given =>
      withStored(given, async stored => {
        const to = given.has('to') ? given.integer('to', 0, [1, Number.MAX_SAFE_INTEGER]) : undefined;
        await stored.rollback(to);
        const served = (await stored.versions()).find(({ isCurrent }) => isCurrent);
        if (given.has('json')) return printJson(served ?? null);
        return print(`version ${served?.version} is served; publishing is held until \`resume\``);
      }),
  }),
  pause: () => switching('pause', 'Launches no more ticks, in every process, until `resume`.'),
  resume: () =>
    switching('resume', 'Ends a pause, and the hold of a rollback. Ticks in between are not launched.'),
};

function switching(name: 'pause' | 'resume', about: string): Command {
  const run = (given: GivenFlags) =>
    withLive(given, async live => {
      await live[name]();
      if (given.has('json')) return printJson({ name: live.name, paused: name === 'pause' });
      return print(`${live.name}: ${name}d`);
    });
  return { name, about, flags: { ...configFlag, ...json }, notes: codes, run };
}

function nextOf(pattern: string, timeZone: string | undefined, count: number): Date[] {
  const schedule = cronSchedule(pattern, timeZone === undefined ? {} : { timeZone });
  const times: Date[] = [];
  for (let at = schedule.next(Date.now()); at !== undefined && times.length < count; at = schedule.next(at)) {
    times.push(new Date(at));
  }
  return times;
}

function printLines(values: readonly object[]): number {
  for (const value of values) printJson(value);
  return 0;
}
