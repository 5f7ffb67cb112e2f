import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';

/** The files of `@ashlar/queue` that this one needs to run, itself included. */
function needed(file: string, known = new Set<string>()): Set<string> {
  if (known.has(file)) return known;
  known.add(file);
  const { importedFiles } = ts.preProcessFile(
    ts.transpileModule(readFileSync(file, 'utf8'), {
      compilerOptions: {
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ES2023,
        verbatimModuleSyntax: true,
      },
    }).outputText,
  );
  for (const { fileName } of importedFiles) {
    if (fileName.startsWith('.')) needed(resolve(file, '..', fileName), known);
    else expect(fileName, `an import of ${file}`).toMatch(/^@ashlar\/(core|store)$/);
  }
  return known;
}

it('runs in a browser: its root imports nothing of Node', () => {
  const files = needed(resolve(import.meta.dirname, '../src/index.ts'));
  expect(files.size).toBeGreaterThan(20);
});
