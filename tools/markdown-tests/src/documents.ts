import { globSync } from 'tinyglobby';

/** The Markdown of this workspace whose code is tested. */
export const documents: readonly string[] = [
  'README.md',
  'packages/*/README.md',
  'examples/*/README.md',
  'docs/**/*.md',
];

/** The files that match these glob patterns, relative to `root`; absolute, in order. */
export function markdownFiles(root: string, patterns: readonly string[] = documents): string[] {
  return globSync([...patterns], { cwd: root, absolute: true, ignore: ['**/node_modules/**'] }).sort();
}
