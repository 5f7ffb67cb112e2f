import { parseArgs } from 'node:util';
import type { Bench, Row } from './bench.ts';

const help = `npm run bench -w PACKAGE -- [--filter TEXT] [--json]

  --filter TEXT  only the benches whose name contains TEXT
  --json         [{ bench, subject, peer, unit, value, peerValue, ratio }]; ratio is peerValue / value
  --help         this text
`;

/** The command line of a package's `bench/main.ts`: runs what the filter names, prints as it goes. */
export async function main(
  benches: readonly Bench[],
  args: readonly string[] = process.argv.slice(2),
): Promise<void> {
  const options = parsed(args);
  if (options === undefined) return;
  if (options.help === true) return void process.stdout.write(help);
  const chosen = benches.filter(({ name }) => name.includes(options.filter ?? ''));
  if (chosen.length === 0) {
    return fail(
      `no bench has "${options.filter}" in its name; there are: ${benches.map(({ name }) => name).join('; ')}`,
    );
  }
  const all: Row[] = [];
  for (const bench of chosen) {
    const rows = await bench.run();
    all.push(...rows);
    if (options.json !== true) process.stdout.write(`${table(bench.name, rows)}\n`);
  }
  if (options.json === true) process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
}

function parsed(args: readonly string[]) {
  try {
    const options = {
      filter: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean' },
    } as const;
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    return fail((error as Error).message);
  }
}

function fail(message: string): undefined {
  process.stderr.write(`${message}\n`);
  process.exitCode = 2;
}

/** As Markdown, to be read in a terminal and pasted into a README. */
function table(name: string, rows: readonly Row[]): string {
  const first = rows[0]!;
  const cells = [
    [name, first.unit, 'ratio'],
    [first.subject, String(first.value), ''],
    ...rows.map(({ peer, peerValue, ratio }) => [peer, String(peerValue), `${ratio}×`]),
  ];
  const widths = [0, 1, 2].map(column => Math.max(...cells.map(row => row[column]!.length)));
  const lines = cells.map(row => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`);
  lines.splice(1, 0, `|${widths.map(width => '-'.repeat(width + 2)).join('|')}|`);
  return `${lines.join('\n')}\n`;
}
