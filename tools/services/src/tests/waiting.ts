import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { globSync } from 'tinyglobby';

/** What a test reaches outside its process with, and then waits for. */
const outside = new Set([
  '@workspace/faults',
  '@workspace/services',
  '@workspace/services/vitest',
  ...[
    'child_process',
    'dgram',
    'http',
    'http2',
    'https',
    'net',
    'timers/promises',
    'tls',
    'worker_threads',
  ].map(name => `node:${name}`),
]);

const services = join(import.meta.dirname, '..', '/');
const specifiers = /(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g;

/**
 * Parts the test files below `root` that match. Those `waiting` reach outside their process: they, or the helpers beside
 * them, import servers, other processes, sockets or waits of real time. The others are `computing`.
 */
export function partTests(
  root: string,
  patterns: readonly string[],
): { readonly waiting: string[]; readonly computing: string[] } {
  const known = new Map<string, boolean>();
  const waits = (file: string): boolean => {
    const found = known.get(file);
    if (found !== undefined) return found;
    known.set(file, false); // until it is known, for helpers that import each other
    const answer = importsOf(file).some(
      specifier =>
        outside.has(specifier) ||
        (specifier.startsWith('.') && leadsOutside(resolve(dirname(file), specifier), waits)),
    );
    known.set(file, answer);
    return answer;
  };
  const parts = { waiting: [] as string[], computing: [] as string[] };
  for (const file of globSync([...patterns], { cwd: root, ignore: '**/node_modules/**' }).sort()) {
    parts[waits(resolve(root, file)) ? 'waiting' : 'computing'].push(file);
  }
  return parts;
}

/** What a package itself imports says little of what a test does with it, these services apart. */
function leadsOutside(file: string, waits: (file: string) => boolean): boolean {
  if (file.startsWith(services)) return true;
  return !/[/\\]src[/\\]/.test(file) && waits(file);
}

function importsOf(file: string): string[] {
  if (!existsSync(file)) return []; // as in a program that is written out as text
  return Array.from(readFileSync(file, 'utf8').matchAll(specifiers), ([, specifier]) => specifier!);
}
