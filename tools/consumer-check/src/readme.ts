import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { blocksOf } from '@workspace/markdown-tests';
import type { Package } from '@workspace/packaging';
import ts from 'typescript';
import type { Project } from './project.ts';

/** The first program of a package's README, written into the project. */
export interface Program {
  readonly source: string;
  run(): Promise<readonly string[]>;
}

/** @returns undefined when there is no README, or no program in it. */
export async function firstProgram(
  project: Project,
  { folder, manifest }: Package,
): Promise<Program | undefined> {
  const readme = join(folder, 'README.md');
  if (!existsSync(readme)) return undefined;
  const block = blocksOf(readFileSync(readme, 'utf8')).find(({ runs }) => runs);
  if (block === undefined) return undefined;
  const name = `readme-of-${manifest.name.replace(/^.*\//, '')}`;
  const { outputText } = ts.transpileModule(block.code, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
    },
  });
  await project.write(`${name}.mts`, block.code);
  await project.write(`${name}.mjs`, outputText);
  return {
    source: `${name}.mts`,
    async run() {
      const { code, stdout, stderr } = await project.node([`${name}.mjs`]);
      if (code === 0) return [];
      return [code === undefined ? 'does not end' : (stderr || stdout).trim()];
    },
  };
}
