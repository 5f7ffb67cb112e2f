import { readFileSync } from 'node:fs';
import { type Flags, flagsHelp, type Running, readFlags, UsageError } from '@workspace/program';
import { type Fuzzed, type FuzzReport, fuzz } from './run.ts';

export interface FuzzProgram<Plan, Site extends AsyncDisposable> extends Fuzzed<Plan, Site> {
  readonly package: string;
  /** For `--help`: what is called, and what is looked for. */
  readonly about: string;
}

/** The command `npm run fuzz` of a package. */
export function fuzzProgram<Plan, Site extends AsyncDisposable>(
  fuzzed: FuzzProgram<Plan, Site>,
): (args: readonly string[], running: Running) => Promise<void> {
  const { sites } = fuzzed;
  const flags: Flags = {
    seed: { value: 'S', help: 'other cases, the same ones each time (1)' },
    runs: { value: 'N', help: 'how many cases on each site (500)' },
    site: { value: 'NAME', help: `only this one of ${sites.join(', ')}` },
    case: { value: 'FILE', help: 'only the case in a JSON file, as --json prints it' },
    within: { value: 'SECONDS', help: 'no case begins later than so (600)' },
    json: { help: 'findings as JSON' },
    help: { help: 'this text' },
  };
  const usage = `npm run fuzz -w ${fuzzed.package} -- [--seed S] [--runs N] [--site NAME] [--case FILE] [--within SEC] [--json]`;
  const what = `${usage}\n\n${fuzzed.about}`;
  return async (args, { signal }) => {
    const given = readFlags(args, flags);
    if (given.has('help')) return void process.stdout.write(flagsHelp(what, flags));
    const site = given.get('site');
    if (site !== undefined && !sites.includes(site)) {
      throw new UsageError(`--site must be one of ${sites.join(', ')}, got ${JSON.stringify(site)}`);
    }
    const file = given.get('case');
    const report = await fuzz(fuzzed, {
      seed: given.integer('seed', 1, [0, 2 ** 31 - 1]),
      runs: given.integer('runs', 500, [1, 10_000_000]),
      withinMs: given.integer('within', 600, [1, 1_000_000]) * 1_000,
      ...(site === undefined ? {} : { only: [site] }),
      ...(file === undefined ? {} : { plan: planIn<Plan>(file) }),
      signal,
      onCase: done => {
        if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${done} cases`);
      },
    });
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    process.stdout.write(given.has('json') ? `${JSON.stringify(report, null, 2)}\n` : told(report));
    if (report.findings.length > 0 || report.uncaught.length > 0) process.exitCode = 1;
  };
}

function planIn<Plan>(file: string): Plan {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Plan;
  } catch (cause) {
    throw new UsageError(`--case must be a file with a case, got ${JSON.stringify(file)}`, { cause });
  }
}

function told({ cases, tookMs, skipped, findings, uncaught }: FuzzReport): string {
  const counts = Object.entries(cases).map(([name, count]) => `${count} on ${name}`);
  const lines = [
    `${counts.join(', ')} in ${Math.round(tookMs / 1_000)} s`,
    ...skipped.map(reason => `not here: ${reason}`),
    ...uncaught.map(stack => `uncaught: ${stack}`),
    ...findings.map(({ site, seed, path, smallest, complaints }) =>
      [
        '',
        `${site} (--seed ${seed}, path ${path})`,
        ...complaints.map(complaint => `  ${complaint}`),
        `  ${JSON.stringify(smallest)}`,
      ].join('\n'),
    ),
  ];
  return `${lines.join('\n')}\n`;
}
