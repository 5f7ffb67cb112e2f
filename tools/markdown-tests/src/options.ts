import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import ts from 'typescript';

const compilerOptions: ts.CompilerOptions = {
  customConditions: ['@ashlar/source'],
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
  allowImportingTsExtensions: true,
  noEmit: true,
  strict: true,
};
const host = ts.createCompilerHost(compilerOptions);
const { getSourceFile } = host;
const parsed = new Map<string, ts.SourceFile | undefined>();
// The packages have most of what they import in common
host.getSourceFile = (name, ...how) => {
  if (!parsed.has(name)) parsed.set(name, getSourceFile(name, ...how));
  return parsed.get(name);
};

/**
 * The options that a package exports types of, and that are not among these names: `Interface.option`, in order. Such a type is
 * exported by an entry of the package and its name ends in `Options`.
 *
 * @param folder that of the package
 */
export function optionsNotAmong(names: ReadonlySet<string>, folder: string): string[] {
  const entries = entriesOf(folder);
  const program = ts.createProgram(entries, compilerOptions, host);
  const checker = program.getTypeChecker();
  const missing = new Set<string>();
  for (const entry of entries) {
    const source = program.getSourceFile(entry);
    const module = source && checker.getSymbolAtLocation(source);
    for (const symbol of module === undefined ? [] : checker.getExportsOfModule(module)) {
      if (!symbol.name.endsWith('Options')) continue;
      const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0;
      const type = checker.getDeclaredTypeOfSymbol(isAlias ? checker.getAliasedSymbol(symbol) : symbol);
      for (const { name } of type.getProperties())
        if (!names.has(name)) missing.add(`${symbol.name}.${name}`);
    }
  }
  return [...missing].sort();
}

/** The sources of what a package exports. */
function entriesOf(folder: string): string[] {
  const { exports } = JSON.parse(readFileSync(resolve(folder, 'package.json'), 'utf8')) as {
    exports: Record<string, { '@ashlar/source'?: string }>;
  };
  return Object.values(exports).flatMap(({ '@ashlar/source': source }) =>
    source === undefined ? [] : [resolve(folder, source)],
  );
}

/** The identifiers in the code spans of a text; its fenced blocks do not count, as they explain nothing. */
export function wordsOf(markdown: string): Set<string> {
  const text = markdown.replace(/^```[\s\S]*?^```$/gm, '');
  return new Set(Array.from(text.matchAll(/`[^`]+`/g)).flatMap(([span]) => span.match(/\w+/g) ?? []));
}
