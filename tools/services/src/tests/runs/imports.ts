import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

const specifiers = /(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g;

/** What a TypeScript file says; nothing where there is none, as in a program that is written out as text. */
export function textOf(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

/** What it imports, as it names it. */
export function specifiersOf(text: string): string[] {
  return Array.from(text.matchAll(specifiers), ([, specifier]) => specifier!);
}

/** The paths of the files that it imports by theirs. */
export function imported(file: string, text: string): string[] {
  return specifiersOf(text)
    .filter(specifier => specifier.startsWith('.'))
    .map(specifier => resolve(dirname(file), specifier));
}
