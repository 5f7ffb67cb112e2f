import { type Command, markdownTable, runCommand, UsageError } from '@workspace/program';
import type { Bench, Row } from './bench.ts';

/** A package's `bench/main.ts`: runs what the filter names, prints as it goes, and ends the process. */
export function main(benches: readonly Bench[]): Promise<never> {
  return runCommand(commandOf(benches));
}

/** The command line over these benches. */
export function commandOf(benches: readonly Bench[]): Command {
  return {
    name: 'bench',
    about: 'npm run bench -w PACKAGE -- [--filter TEXT] [--json]',
    flags: {
      filter: { value: 'TEXT', help: 'only the benches whose name contains TEXT' },
      json: {
        help: '[{ bench, subject, peer, unit, value, peerValue, ratio }]; ratio is peerValue / value',
      },
    },
    async run(given) {
      const filter = given.get('filter') ?? '';
      const chosen = benches.filter(({ name }) => name.includes(filter));
      if (chosen.length === 0) {
        const names = benches.map(({ name }) => name).join('; ');
        throw new UsageError(`no bench has "${filter}" in its name; there are: ${names}`);
      }
      const all: Row[] = [];
      for (const bench of chosen) {
        const rows = await bench.run();
        all.push(...rows);
        if (!given.has('json')) process.stdout.write(`${table(bench.name, rows)}\n\n`);
      }
      if (given.has('json')) process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
    },
  };
}

function table(name: string, rows: readonly Row[]): string {
  const first = rows[0]!;
  return markdownTable([
    [name, first.unit, 'ratio'],
    [first.subject, String(first.value), ''],
    ...rows.map(({ peer, peerValue, ratio }) => [peer, String(peerValue), `${ratio}×`]),
  ]);
}
