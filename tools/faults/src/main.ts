import { type Command, type GivenFlags, runCommand, UsageError } from '@workspace/program';
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

/** Runs what the command line names, and ends the process. The exit code is 1 when something broke a promise, or was late. */
export function main<C extends string, M extends string>(program: Program<C, M>): Promise<never> {
  return runCommand(commandOf(program));
}

const most = 999_999_999;

/** The command line over these faults. */
export function commandOf<C extends string, M extends string>(program: Program<C, M>): Command {
  const { package: name, faults, report, notes } = program;
  const width = Math.max(...faults.map(fault => fault.name.length));
  return {
    name: 'faults',
    about: `npm run faults -w ${name} -- [--fault NAME] [--runs N] [--seed S] [--json]`,
    flags: {
      fault: { value: 'NAME', help: 'only the faults whose name contains NAME' },
      runs: { value: 'N', help: 'how often each happens (it differs)' },
      seed: { value: 'S', help: 'other moments, the same ones each time (1)' },
      json: { help: `[{ ${fieldsOf(report).join(', ')} }]` },
    },
    notes: `${notes}
The exit code is 1 when something happened that a fault does not allow, or somebody was late.

${faults.map(fault => `  ${fault.name.padEnd(width)}  ${fault.about}`).join('\n')}`,
    async run(given) {
      const rows = await rowsOf(program, given);
      process.stdout.write(`${given.has('json') ? JSON.stringify(rows, null, 2) : table(rows, report)}\n`);
      return rows.every(({ ok, timely }) => ok && timely) ? 0 : 1;
    },
  };
}

async function rowsOf<C extends string, M extends string>(
  { faults, report }: Program<C, M>,
  given: GivenFlags,
): Promise<Row<C, M>[]> {
  const runs = given.has('runs') ? given.integer('runs', 1, [1, most]) : undefined;
  const seed = given.integer('seed', 1, [0, most]);
  const rows: Row<C, M>[] = [];
  for (const fault of chosenOf(faults, given.get('fault') ?? '')) {
    const onRun = (done: number, all: number) => {
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${fault.name} ${done}/${all}`);
    };
    const row = await runFault(fault, report, { runs, seed, onRun });
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    process.stderr.write(`${fault.name}: ${row.runs} ${row.runs === 1 ? 'run' : 'runs'}, ${verdict(row)}\n`);
    rows.push(row);
  }
  return rows;
}

function chosenOf<F extends { readonly name: string }>(faults: readonly F[], text: string): readonly F[] {
  const chosen = faults.filter(({ name }) => name.includes(text));
  if (chosen.length > 0) return chosen;
  const names = faults.map(({ name }) => name).join(', ');
  throw new UsageError(`no fault has "${text}" in its name; there are: ${names}`);
}
