import { readFileSync } from 'node:fs';
import { type Plugin, transformWithOxc } from 'vite';
import type {} from 'vitest/config';
import { type Block, blocksOf } from './blocks.ts';
import { markdownFiles } from './documents.ts';

const programId = /^(?<file>.+\.md)\?line=(?<line>\d+)$/;

/**
 * Makes a test of every `ts` block of the Markdown files, named "heading (line n)". A block is a module: it may
 * import, and await at its top level. Its lines are those of the file, so a failure points into the Markdown.
 */
export function markdownTests(root: string, patterns?: readonly string[]): Plugin {
  return {
    name: 'markdown-tests',
    enforce: 'pre',
    config: () => ({ test: { include: markdownFiles(root, patterns).filter(hasTests) } }),
    load(id) {
      if (id.endsWith('.md')) return testsOf(id);
      const { file, line } = programId.exec(id)?.groups ?? {};
      return file === undefined ? undefined : programAt(file, Number(line));
    },
  };
}

function hasTests(file: string): boolean {
  try {
    return blocksIn(file).some(block => block.runs);
  } catch {
    return true; // what is wrong with it is told where it is loaded, as the failure of this one file
  }
}

function testsOf(file: string): string {
  const tests = blocksIn(file)
    .filter(block => block.runs)
    .map(({ heading, line }) => {
      const name = JSON.stringify(`${heading} (line ${line})`.trim());
      return `test(${name}, () => import(${JSON.stringify(`${file}?line=${line}`)}));`;
    });
  return ["import { test } from 'vitest';", ...tests].join('\n');
}

async function programAt(file: string, line: number): ReturnType<typeof transformWithOxc> {
  const block = blocksIn(file).find(one => one.line === line);
  const padded = '\n'.repeat(line - 1) + block?.code;
  const program = await transformWithOxc(padded, file, { lang: 'ts', target: 'node20' });
  if (program.map !== undefined) program.map.sources = [file];
  return program;
}

function blocksIn(file: string): Block[] {
  try {
    return blocksOf(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`${file}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}
