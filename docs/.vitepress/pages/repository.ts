import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';

/** The folder of the repository. */
export const root: string = resolve(import.meta.dirname, '../../..');

/** The folder of the pages. */
export const docs: string = resolve(root, 'docs');

/** The address that a browser opens for the repository, as the root `package.json` names it. */
export const repository: string = addressOf(readFileSync(resolve(root, 'package.json'), 'utf8'));

/** The pages in the repository, as the READMEs of published packages link to them. */
const pagesInRepository = `${repository}/blob/main/docs/`;

/** Where a browser finds a path of the repository, which may end in `#fragment`. */
function sourceOf(path: string): string {
  return `${repository}/tree/main/${path}`;
}

/**
 * What a link of a page leads to: a file of the repository that is no page becomes its address there, so that the link
 * works in a clone, in the repository and on the site. The address of a page in the repository becomes the page. Other links stay.
 */
export function linkFrom(page: string, link: string): string {
  if (link.startsWith(pagesInRepository)) {
    const [, place, rest] = /^([\w/-]+)\.md(#.*)?$/.exec(link.slice(pagesInRepository.length)) ?? [];
    return place === undefined ? link : `/${place}${rest ?? ''}`;
  }
  if (/^(?:[a-z]+:|[#/])/i.test(link)) return link;
  const [path = '', fragment] = link.split('#');
  const target = resolve(dirname(page), path);
  if (isPage(relative(docs, target))) return link;
  return sourceOf(relative(root, target) + (fragment === undefined ? '' : `#${fragment}`));
}

function isPage(path: string): boolean {
  return path !== '' && !path.startsWith('..') && !path.startsWith('examples/');
}

function addressOf(manifest: string): string {
  const { repository } = JSON.parse(manifest) as { repository?: { url: string } | string };
  const url = typeof repository === 'string' ? repository : (repository?.url ?? '');
  const address = url.replace(/^git\+/, '').replace(/\.git$/, '');
  if (!address.startsWith('https://'))
    throw new Error('package.json names no `repository` with an https address');
  return address;
}
