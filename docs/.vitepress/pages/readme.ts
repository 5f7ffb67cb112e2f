import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { linkFrom, root } from './repository.ts';

/** The text of a package's README. */
export function readmeOf(name: string): string {
  return readFileSync(pathOf(name), 'utf8');
}

/** A part of a README as a page shows it: what its links lead to stays what it is. */
export function quoted(markdown: string, name: string): string {
  return markdown.replace(/\]\(([^)\s]+)\)/g, (_whole, link: string) => {
    return `](${linkFrom(pathOf(name), link.startsWith('#') ? `README.md${link}` : link)})`;
  });
}

function pathOf(name: string): string {
  return resolve(root, 'packages', name, 'README.md');
}
