import { join, resolve } from 'node:path';
import { globSync } from 'tinyglobby';
import { imported, specifiersOf, textOf } from './imports.ts';

/** Paths of test files, below the root. */
export interface Parts {
  /** They reach outside their process, and wait for what is there. */
  readonly waiting: string[];
  /** They change or measure what the files of one process share, such as its timers. */
  readonly apart: string[];
  /** All others. */
  readonly computing: string[];
}

/** What a test reaches outside its process with, and then waits for. */
const outside = new Set([
  '@workspace/faults',
  '@workspace/services',
  ...['command-line', 'prisma', 'versions', 'vitest'].map(name => `@workspace/services/${name}`),
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

const services = join(import.meta.dirname, '../..', '/');

/** Replaced timers, globals and modules; the environment, warnings and memory of the process; channels that everybody publishes on. */
const ofProcess =
  /\bvi\.(?!fn\b|waitFor\b)|\bprocess[.[]|\bglobalThis\b|'node:(?:diagnostics_channel|v8|vm)'/;

/** Parts the test files below `root` that match, by what they, or the helpers beside them, import and name. */
export function partTests(root: string, patterns: readonly string[]): Parts {
  const waits = followed(
    text => specifiersOf(text).some(specifier => outside.has(specifier)),
    file => file.startsWith(services),
  );
  const staysApart = followed(text => ofProcess.test(text));
  const parts: Parts = { waiting: [], apart: [], computing: [] };
  for (const file of globSync([...patterns], { cwd: root, ignore: '**/node_modules/**' }).sort()) {
    const path = resolve(root, file);
    parts[waits(path) ? 'waiting' : staysApart(path) ? 'apart' : 'computing'].push(file);
  }
  return parts;
}

/**
 * Whether that is so of a file, or of one that it imports. What a package itself imports says little of what a test does
 * with it.
 */
function followed(
  isSo: (text: string) => boolean,
  isSoOfSource: (file: string) => boolean = () => false,
): (file: string) => boolean {
  const known = new Map<string, boolean>();
  const of = (file: string): boolean => {
    const found = known.get(file);
    if (found !== undefined) return found;
    known.set(file, false); // until it is known, for helpers that import each other
    const text = textOf(file);
    const answer = isSo(text) || imported(file, text).some(ofImported);
    known.set(file, answer);
    return answer;
  };
  const ofImported = (file: string) => isSoOfSource(file) || (!/[/\\]src[/\\]/.test(file) && of(file));
  return of;
}
