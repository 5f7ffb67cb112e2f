import { type Package, peersToInstall } from '@workspace/packaging';
import { bundles } from './checks/bundling.ts';
import { compiles } from './checks/compiling.ts';
import { loads } from './checks/loading.ts';
import { names } from './checks/naming.ts';
import { typeChecks } from './checks/types.ts';
import { Project } from './project.ts';
import { firstProgram, type Program } from './readme.ts';
import type { Report } from './report.ts';
import { faultsOf, pack } from './tarball.ts';

export interface CheckOptions {
  readonly packages: readonly Package[];
  /** What a user of TypeScript has besides, as `npm install` takes it. */
  readonly toolchain: readonly string[];
  /** The version of an older TypeScript that the packages are to be used with as well. */
  readonly olderTypeScript?: string;
  readonly report: Report;
  readonly signal: AbortSignal;
}

/** Packs the packages, installs them into an empty project, and uses every entry there as its users will. */
export async function checkPackages(options: CheckOptions): Promise<void> {
  const { packages, olderTypeScript, report, signal } = options;
  const toolchain = [...options.toolchain, ...(olderTypeScript ? [`typescript@${olderTypeScript}`] : [])];
  await using project = await Project.create(signal);

  report.step(`Packing ${packages.length} packages`);
  const tarballs: string[] = [];
  for (const one of packages) {
    const { path, files } = await pack(one, project.folder, signal);
    tarballs.push(path);
    report.add({ check: `tarball of ${one.manifest.name}`, faults: faultsOf(one, files) });
  }

  report.step('Installing the tarballs into an empty project, without optional peers');
  await project.install(tarballs);
  await loadAll(project, packages, report, false);

  const peers = [...new Set(packages.flatMap(peersToInstall))];
  report.step(`Installing ${[...peers, ...toolchain].join(', ') || 'no peers: there are none'}`);
  await project.install([...peers, ...toolchain]);
  await loadAll(project, packages, report, true);

  report.step('Bundling each entry into one CommonJS file, and running that with nothing beside it');
  for await (const check of bundles(project, packages)) report.add(check);

  report.step('Compiling each file to CommonJS as Jest does, and loading each entry');
  for await (const check of compiles(project, packages)) report.add(check);

  report.step('Running the first program of each README');
  const programs: Program[] = [];
  for (const one of packages) {
    const program = await firstProgram(project, one);
    if (program !== undefined) programs.push(program);
    const faults = (await program?.run()) ?? ['there is no `ts` block that runs'];
    report.add({ check: `README of ${one.manifest.name}`, faults });
  }

  report.step('Type-checking as an application does');
  const sources = programs.map(({ source }) => source);
  for await (const check of typeChecks(project, packages, sources, olderTypeScript)) report.add(check);

  report.step('Exporting what each entry gives from a library that has declarations');
  for await (const check of names(project, packages)) report.add(check);
}

async function loadAll(
  project: Project,
  packages: readonly Package[],
  report: Report,
  peersInstalled: boolean,
) {
  for (const one of packages) {
    for await (const check of loads(project, one, peersInstalled)) report.add(check);
  }
}
