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
      for (const group of grouped(chosen)) {
        const found: Row[][] = [];
        for (const bench of group) found.push(await bench.run());
        all.push(...found.flat());
        if (!given.has('json')) process.stdout.write(`${tableOf(group[0]!, found)}\n\n`);
      }
      if (given.has('json')) process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
    },
  };
}

/** Those of one table together. */
function grouped(benches: readonly Bench[]): Bench[][] {
  const groups: Bench[][] = [];
  for (const bench of benches) {
    const last = groups.at(-1);
    if (bench.table !== undefined && bench.table === last?.[0]?.table) last?.push(bench);
    else groups.push([bench]);
  }
  return groups;
}

function tableOf({ name, table }: Bench, found: readonly (readonly Row[])[]): string {
  return table === undefined ? ofOne(name, found[0]!) : ofMany(table, found);
}

/** A line for each peer. */
function ofOne(name: string, rows: readonly Row[]): string {
  const first = rows[0]!;
  return markdownTable([
    [name, first.unit, 'ratio'],
    [first.subject, String(first.value), ''],
    ...rows.map(({ peer, peerValue, ratio }) => [peer, String(peerValue), `${ratio}×`]),
  ]);
}

/** A line for each bench, and a column for each peer. */
function ofMany(table: string, found: readonly (readonly Row[])[]): string {
  const peers = [...new Set(found.flat().map(({ peer }) => peer))];
  const lines = found.map(rows => {
    const { bench, unit, value } = rows[0]!;
    const cells = peers.map(name => {
      const row = rows.find(({ peer }) => peer === name);
      return row === undefined ? '' : `${row.peerValue} (${row.ratio}×)`;
    });
    return [bench.replace(`${table}: `, ''), unit, String(value), ...cells];
  });
  return markdownTable([[table, 'unit', found[0]![0]!.subject, ...peers], ...lines]);
}
