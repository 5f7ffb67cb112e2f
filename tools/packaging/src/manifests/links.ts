import { existsSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';

/** The targets of Markdown's links. */
const target = /(?<=\]\()[^)\s]+(?=\))|(?<=^\[[^\]]+\]:\s+)\S+/gm;
const inRepository = /^\/(?:blob|tree)\/main\/(?<path>[^#]+)/;

export interface Place {
  /** The folder of the workspace. */
  readonly root: string;
  /** The folder of the document, from there. */
  readonly directory: string;
  /** Where the repository is, for a browser. */
  readonly web: string;
}

/**
 * The Markdown with links that work wherever it is read: those to files of the repository name them there. `before` is
 * where the repository was when the links were written.
 */
export function absoluteLinks(markdown: string, { root, directory, web }: Place, before: string): string {
  return markdown.replace(target, link => {
    if (link.startsWith(`${before}/`)) return web + link.slice(before.length);
    if (!isRelative(link)) return link;
    const [path = '', ...anchor] = link.split('#');
    const file = posix.join(directory, path);
    const kind = statSync(join(root, file), { throwIfNoEntry: false })?.isDirectory() ? 'tree' : 'blob';
    return [`${web}/${kind}/main/${file}`, ...anchor].join('#');
  });
}

/** The links that name a file of the repository which is not there. */
export function deadLinks(markdown: string, { root, web }: Place): string[] {
  return [...markdown.matchAll(target)].flatMap(([link]) => {
    const path = link.startsWith(web)
      ? inRepository.exec(link.slice(web.length))?.groups?.['path']
      : undefined;
    return path === undefined || existsSync(join(root, path)) ? [] : [link];
  });
}

function isRelative(link: string): boolean {
  return !link.startsWith('#') && !/^[a-z][a-z+.-]*:/i.test(link);
}
