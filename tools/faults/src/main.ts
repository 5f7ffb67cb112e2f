import { parseArgs } from 'node:util';
import type { Fault } from './fault.ts';
import { fieldsOf, type Report, type Row, table, verdict } from './report.ts';
import { runFault } from './run.ts';

/** A package's `faults/main.ts`. */
export interface Program<C extends string, M extends string> {
  /** As npm calls it. */
  readonly package: string;
  readonly faults: readonly Fault<C, M>[];
  readonly report: Report<C, M>;
  /** What the counts and measures mean, for the help. */
  readonly notes: string;
}

interface Options<C extends string, M extends string> {
  readonly chosen: readonly Fault<C, M>[];
  readonly runs: number | undefined;
  readonly seed: number;
  readonly json: boolean;
}

/** The command line. The exit code is 1 when something broke a promise, 2 when the arguments were not understood. */
export async function main<C extends string, M extends string>(
  program: Program<C, M>,
  args: readonly string[] = process.argv.slice(2),
): Promise<void> {
  const options = readOptions(program, args);
  if (options === undefined) return;
  const { chosen, runs, seed, json } = options;
  const rows: Row<C, M>[] = [];
  for (const fault of chosen) {
    const row = await runFault(fault, program.report, {
      runs,
      seed,
      onRun: (done, all) => {
        if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${fault.name} ${done}/${all}`);
      },
    });
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    process.stderr.write(`${fault.name}: ${row.runs} ${row.runs === 1 ? 'run' : 'runs'}, ${verdict(row)}\n`);
    rows.push(row);
  }
  process.stdout.write(`${json ? JSON.stringify(rows, null, 2) : table(rows, program.report)}\n`);
  if (rows.some(({ ok, timely }) => !ok || !timely)) process.exitCode = 1;
}

function readOptions<C extends string, M extends string>(
  program: Program<C, M>,
  args: readonly string[],
): Options<C, M> | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        fault: { type: 'string', default: '' },
        runs: { type: 'string' },
        seed: { type: 'string', default: '1' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) return void process.stdout.write(helpOf(program));
    const { fault: text, json } = values;
    const chosen = program.faults.filter(({ name }) => name.includes(text));
    if (chosen.length === 0) {
      const names = program.faults.map(({ name }) => name).join(', ');
      throw new Error(`no fault has "${text}" in its name; there are: ${names}`);
    }
    return {
      chosen,
      runs: values.runs === undefined ? undefined : integer('runs', values.runs, 1),
      seed: integer('seed', values.seed, 0),
      json,
    };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 2;
    return undefined;
  }
}

function helpOf<C extends string, M extends string>(program: Program<C, M>): string {
  const { package: name, faults, report, notes } = program;
  const width = Math.max(...faults.map(fault => fault.name.length));
  return `npm run faults -w ${name} -- [--fault NAME] [--runs N] [--seed S] [--json]

  --fault NAME  only the faults whose name contains NAME
  --runs N      how often each happens (it differs)
  --seed S      other moments, the same ones each time (1)
  --json        [{ ${fieldsOf(report).join(', ')} }]
  --help        this text

${notes}
The exit code is 1 when something happened that a fault does not allow, or somebody was late.

${faults.map(fault => `  ${fault.name.padEnd(width)}  ${fault.about}`).join('\n')}
`;
}

function integer(name: string, text: string, min: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min) return value;
  throw new Error(`--${name} must be an integer of at least ${min}, got "${text}"`);
}
