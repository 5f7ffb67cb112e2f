import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where the project lives and who made it, as the package.json of the workspace says: the one place that does. */
export interface Home {
  /** As npm has it: `git+https://….git`. */
  readonly repository: string;
  /** As a browser has it. */
  readonly web: string;
  readonly author: string;
  /** No such place can be: the address is yet to be chosen. */
  readonly isPlaceholder: boolean;
}

/** @throws when the workspace names neither */
export function readHome(root: string): Home {
  const { repository, author } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  if (typeof author !== 'string') throw new Error('package.json of the workspace has no `author`');
  if (typeof repository?.url !== 'string') {
    throw new Error('package.json of the workspace has no `repository.url`');
  }
  const web = webOf(repository.url);
  const isPlaceholder = new URL(web).hostname.endsWith('.invalid'); // reserved by RFC 2606
  return { repository: repository.url, web, author, isPlaceholder };
}

export function webOf(repository: string): string {
  return repository.replace(/^git\+/, '').replace(/\.git$/, '');
}
