import { join } from 'node:path';
import type { Package } from '@workspace/packaging';
import ts from 'typescript';
import type { Project } from '../project.ts';
import type { Check } from '../report.ts';

const options: ts.CompilerOptions = {
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
  types: ['node'],
  strict: true,
  skipLibCheck: true, // other checks read them
  declaration: true,
};

/**
 * A library whose users write `export const table = router.table('users')` gets declarations that must name the type. Exports
 * what each function and each member of the packages gives, without a type of its own, and says what has no name that an entry
 * exports. Members that are marked `@internal` are not for users.
 */
export async function* names(project: Project, packages: readonly Package[]): AsyncIterable<Check> {
  const specifiers = packages
    .flatMap(one => one.entries.filter(entry => !entry.isJson))
    .map(entry => entry.specifier);
  const fileOf = (kind: string, n: number) => join(project.folder, `${kind}-${n}.mts`);
  for (const [n, specifier] of specifiers.entries())
    await project.write(`entry-${n}.mts`, `export * from ${JSON.stringify(specifier)};\n`);
  const entries = programOf(
    project,
    specifiers.map((_, n) => fileOf('entry', n)),
  );
  const checker = entries.getTypeChecker();
  for (const [n, specifier] of specifiers.entries()) {
    const module = checker.getSymbolAtLocation(entries.getSourceFile(fileOf('entry', n))!);
    const lines = module === undefined ? [] : uses(checker, checker.getExportsOfModule(module));
    await project.write(
      `uses-${n}.mts`,
      `import * as it from ${JSON.stringify(specifier)};\n${lines.join('\n')}`,
    );
  }
  const program = programOf(
    project,
    specifiers.map((_, n) => fileOf('uses', n)),
  );
  for (const [n, specifier] of specifiers.entries()) {
    const file = program.getSourceFile(fileOf('uses', n))!;
    const faults = program.getDeclarationDiagnostics(file).map(({ start = 0, messageText }) => {
      const [line] = file.text.slice(start).split('\n', 1);
      return `${line}\n${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    });
    yield { check: `names of ${specifier}`, faults };
  }
}

function programOf(project: Project, files: readonly string[]): ts.Program {
  const host = ts.createCompilerHost(options);
  host.getCurrentDirectory = () => project.folder;
  return ts.createProgram(files, options, host);
}

/** One line for each thing that the exports give. */
function uses(checker: ts.TypeChecker, exports: readonly ts.Symbol[]): string[] {
  let count = 0;
  const next = () => `export const use${count++}`;
  return exports.flatMap(exported => {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
    const name = `it.${exported.name}`;
    if (symbol.flags & ts.SymbolFlags.Function)
      return `${next()} = (...given: Parameters<typeof ${name}>) => ${name}(...given);`;
    if (symbol.flags & ts.SymbolFlags.Variable) return `${next()} = ${name};`;
    if (!(symbol.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface))) return [];
    const type = checker.getDeclaredTypeOfSymbol(symbol);
    const parameters = (type as ts.InterfaceType).typeParameters ?? [];
    const needed = parameters.filter(one => checker.getDefaultFromTypeParameter(one) === undefined);
    const given = needed.length === 0 ? '' : `<${needed.map(() => 'any').join(', ')}>`;
    return checker
      .getPropertiesOfType(type)
      .filter(isForUsers)
      .map(({ name: member }) => `${next()} = (one: ${name}${given}) => one[${JSON.stringify(member)}];`);
  });
}

function isForUsers(member: ts.Symbol): boolean {
  const { valueDeclaration: declaration, name } = member;
  if (declaration === undefined || name.startsWith('__')) return false; // Those of symbols
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  if (ts.getCombinedModifierFlags(declaration) & hidden || ts.isPrivateIdentifier(declaration as never))
    return false;
  return !/@internal\b/.test(declaration.getFullText().slice(0, declaration.getLeadingTriviaWidth()));
}
