import { readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import ts from 'typescript';
import { blocksOf } from './blocks.ts';

/**
 * Type-checks every `ts` block of these Markdown files in one program, against the packages' sources, as strictly as
 * the workspace checks itself but for names that an example declares and does not use.
 *
 * @param read the Markdown of a file, where it is not what the file holds
 * @returns one line for each error: `file:line:column message`, with the file relative to `root`.
 */
export function typeErrors(
  root: string,
  files: readonly string[],
  read: (file: string) => string = file => readFileSync(file, 'utf8'),
): string[] {
  const errors: string[] = [];
  const programs = new Map<string, string>();
  for (const file of files) {
    try {
      for (const block of blocksOf(read(file))) {
        programs.set(`${file}.${block.line}.ts`, '\n'.repeat(block.line - 1) + block.code);
      }
    } catch (error) {
      errors.push(`${relative(root, file)}: ${error instanceof Error ? error.message : error}`);
    }
  }
  const program = ts.createProgram([...programs.keys()], optionsOf(root), hostOf(root, programs));
  const found = [...program.getOptionsDiagnostics(), ...program.getGlobalDiagnostics()];
  for (const name of programs.keys()) {
    const source = program.getSourceFile(name);
    found.push(...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source));
  }
  return [...errors, ...found.map(diagnostic => told(root, diagnostic))];
}

function optionsOf(root: string): ts.CompilerOptions {
  const { config, error } = ts.readConfigFile(resolve(root, 'tsconfig.base.json'), ts.sys.readFile);
  if (error !== undefined) throw new Error(ts.flattenDiagnosticMessageText(error.messageText, ' '));
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  return {
    ...options,
    noEmit: true,
    customConditions: ['@ashlar/source'],
    moduleDetection: ts.ModuleDetectionKind.Force,
    isolatedDeclarations: false,
    experimentalDecorators: true, // NestJS
    declaration: false,
    declarationMap: false,
    noUnusedLocals: false,
    noUnusedParameters: false,
  };
}

/** A host on which the programs lie beside the Markdown that they come from, so that imports resolve from there. */
function hostOf(root: string, programs: ReadonlyMap<string, string>): ts.CompilerHost {
  const host = ts.createCompilerHost(optionsOf(root));
  host.getCurrentDirectory = () => root;
  const { fileExists, readFile } = host;
  host.fileExists = file => programs.has(file) || fileExists(file);
  host.readFile = file => programs.get(file) ?? readFile(file);
  return host;
}

function told(root: string, { file, start = 0, messageText }: ts.Diagnostic): string {
  const message = ts.flattenDiagnosticMessageText(messageText, '\n');
  if (file === undefined) return message;
  const { line, character } = file.getLineAndCharacterOfPosition(start);
  const markdown = file.fileName.replace(/\.\d+\.ts$/, '');
  return `${relative(root, markdown)}:${line + 1}:${character + 1} ${message}`;
}
