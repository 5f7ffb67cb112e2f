import type { Entry, Package } from '@workspace/packaging';
import type { Project } from '../project.ts';
import type { Check } from '../report.ts';
import type { Ran } from '../run.ts';

interface Way {
  readonly verb: string;
  readonly takes: (entry: Entry) => boolean;
  readonly args: (specifier: string) => readonly string[];
}

const ways: readonly Way[] = [
  {
    verb: 'import',
    takes: entry => !entry.isJson, // Node 20 warns of JSON modules
    args: specifier => ['--input-type=module', '--eval', `await import(${JSON.stringify(specifier)})`],
  },
  {
    verb: 'require',
    takes: () => true,
    args: specifier => ['--input-type=commonjs', '--eval', `require(${JSON.stringify(specifier)})`],
  },
];

/** Loads every entry of a package, each in a process of its own, as ES modules and CommonJS do. */
export async function* loads(project: Project, one: Package, peersInstalled: boolean): AsyncIterable<Check> {
  for (const entry of one.entries) {
    for (const { verb, takes, args } of ways) {
      if (!takes(entry)) continue;
      const ran = await project.node(args(entry.specifier));
      const mayLack = !peersInstalled && entry.isAdapter ? one.optionalPeers : [];
      yield { check: `${verb} ${entry.specifier}`, faults: faultsOf(ran, mayLack) };
    }
  }
}

function faultsOf({ code, stdout, stderr }: Ran, mayLack: readonly string[]): string[] {
  const printed = (stdout + stderr).trim();
  if (code === undefined) return [`something it started keeps the process alive\n${printed}`.trim()];
  if (code === 0) return printed === '' ? [] : [`loading it prints:\n${printed}`];
  if (mayLack.some(peer => printed.includes(`npm install ${peer}`))) return [];
  const hint = mayLack.map(peer => `\`npm install ${peer}\``).join(' or ');
  return [hint === '' ? printed : `fails, and does not say ${hint}:\n${printed}`];
}
