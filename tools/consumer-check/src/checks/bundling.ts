import { join } from 'node:path';
import type { Package } from '@workspace/packaging';
import { build } from 'esbuild';
import { Project } from '../project.ts';
import type { Check } from '../report.ts';

/** As servers are often shipped: everything they need is in the bundle, client libraries too. */
export async function* bundles(project: Project, packages: readonly Package[]): AsyncIterable<Check> {
  await using elsewhere = await Project.create(project.signal);
  const entries = packages.flatMap(one => one.entries.filter(entry => !entry.isJson));
  for (const { specifier } of entries) {
    yield { check: `bundle ${specifier}`, faults: await faultsOf(project, elsewhere, specifier) };
  }
}

async function faultsOf(project: Project, elsewhere: Project, specifier: string): Promise<string[]> {
  const outfile = join(elsewhere.folder, 'bundle.cjs');
  try {
    await build({
      stdin: {
        contents: `globalThis.entry = require(${JSON.stringify(specifier)});`,
        resolveDir: project.folder,
      },
      absWorkingDir: project.folder,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      outfile,
      logLevel: 'silent',
    });
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
  const { code, stdout, stderr } = await elsewhere.node([outfile]);
  if (code === 0) return [];
  return [code === undefined ? 'does not end' : (stderr || stdout).trim()];
}
