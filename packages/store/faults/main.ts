import { parseArgs } from 'node:util';
import type { Fault } from './fault.ts';
import { faults } from './faults.ts';
import { detectionMs } from './outages.ts';
import { type Row, table, verdict } from './report.ts';
import { runFault } from './run.ts';

const help = `npm run faults -w @ashlar/store -- [--fault NAME] [--runs N] [--seed S] [--json]

  --fault NAME  only the faults whose name contains NAME
  --runs N      how often each happens (it differs)
  --seed S      other moments, the same ones each time (1)
  --json        [{ fault, runs, operations, lost, duplicated, unexpected, outageMsP50, outageMsMax, noticedMsP50, noticedMsMax, ok, timely, remarks }]
  --help        this text

noticed: from the fault to the first call or watch that told of it.
resumed (outageMs): from the moment the server was there again to the first operation that it acknowledged.
LATE: a server's death was noticed after more than ${detectionMs} ms.
The exit code is 1 when something happened that a fault does not allow, or somebody was late.

${faults.map(({ name, about }) => `  ${name.padEnd(24)} ${about}`).join('\n')}
`;

interface Options {
  readonly chosen: readonly Fault[];
  readonly runs: number | undefined;
  readonly seed: number;
  readonly json: boolean;
}

const options = readOptions(process.argv.slice(2));
if (options !== undefined) await main(options);

async function main({ chosen, runs, seed, json }: Options): Promise<void> {
  const rows: Row[] = [];
  for (const fault of chosen) {
    const row = await runFault(fault, {
      runs,
      seed,
      onRun: (done, all) => {
        if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${fault.name} ${done}/${all}`);
      },
    });
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    process.stderr.write(`${fault.name}: ${row.runs} runs, ${verdict(row)}\n`);
    rows.push(row);
  }
  process.stdout.write(`${json ? JSON.stringify(rows, null, 2) : table(rows)}\n`);
  if (rows.some(({ ok, timely }) => !ok || !timely)) process.exitCode = 1;
}

function readOptions(args: string[]): Options | undefined {
  try {
    const { values } = parseArgs({
      args,
      options: {
        fault: { type: 'string', default: '' },
        runs: { type: 'string' },
        seed: { type: 'string', default: '1' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) return void process.stdout.write(help);
    const { fault: text, json } = values;
    const chosen = faults.filter(({ name }) => name.includes(text));
    if (chosen.length === 0) {
      throw new Error(
        `no fault has "${text}" in its name; there are: ${faults.map(({ name }) => name).join(', ')}`,
      );
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

function integer(name: string, text: string, min: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min) return value;
  throw new Error(`--${name} must be an integer of at least ${min}, got "${text}"`);
}
