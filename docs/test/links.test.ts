import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { documents, markdownFiles } from '@workspace/markdown-tests';
import { createMarkdownRenderer, type MarkdownEnv } from 'vitepress';
import { beforeAll, describe, expect, test } from 'vitest';
import { extendMarkdown } from '../.vitepress/pages/markdown.ts';
import { docs, linkFrom, repository, root } from '../.vitepress/pages/repository.ts';

/** A page as its reader has it: HTML with the code, the tables and the sections of READMEs in place. */
interface Page {
  readonly html: string;
  readonly ids: readonly string[];
  readonly links: readonly string[];
}

const names = markdownFiles(docs, ['**/*.md']).map(page => relative(docs, page).replace(/\.md$/, ''));
const pages = new Map<string, Page>();
const all = (html: string, pattern: RegExp) => Array.from(html.matchAll(pattern), ([, found = '']) => found);

beforeAll(async () => {
  // Colors have no part in this, and take most of the time
  const plain = { highlight: (code: string) => `<pre><code>${code.replaceAll('<', '&lt;')}</code></pre>` };
  const renderer = await createMarkdownRenderer(docs, { ...plain, config: extendMarkdown });
  for (const name of names) {
    const path = resolve(docs, `${name}.md`);
    const env = { path, relativePath: `${name}.md`, cleanUrls: true } satisfies MarkdownEnv;
    const html = renderer.render(readFileSync(path, 'utf8'), env);
    pages.set(name, { html, ids: all(html, / id="([^"]+)"/g), links: all(html, /<a href="([^"]+)"/g) });
  }
});

/** The headings of a README, as the repository's pages name them. */
function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of markdown.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/^#+ (.*)$/gm)) {
    const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const slug = text.replace(/[^\p{L}\p{N}_\- ]/gu, '').replaceAll(' ', '-');
    for (let n = 0; ; n++) {
      const anchor = n === 0 ? slug : `${slug}-${n}`;
      if (anchors.has(anchor)) continue;
      anchors.add(anchor);
      break;
    }
  }
  return anchors;
}

/** What is wrong with a link to a file or folder of the repository; undefined when nothing is. */
function faultOf(link: string): string | undefined {
  const [, place = '', anchor] = /\/(?:blob|tree)\/main\/([^#]*)(?:#(.*))?$/.exec(link) ?? [];
  const path = resolve(root, place);
  if (!existsSync(path)) return `${link}: no such file`;
  if (anchor === undefined) return undefined;
  const isFolder = statSync(path).isDirectory();
  if (isFolder && anchor === 'readme') return undefined;
  const text = readFileSync(isFolder ? resolve(path, 'README.md') : path, 'utf8');
  return anchorsOf(text).has(anchor) ? undefined : `${link}: no such heading`;
}

describe.each(names)('%s', name => {
  test('leads to headings that are there, on the site and in the repository', () => {
    const { links } = pages.get(name)!;
    const faults = links.flatMap(link => {
      if (link.startsWith(repository)) return faultOf(link) ?? [];
      if (/^[a-z]+:/i.test(link)) return [];
      const { pathname, hash } = new URL(link, `https://site/${name}`);
      const target = pages.get(pathname === '/' ? 'index' : pathname.slice(1));
      if (target === undefined) return `${link}: no such page`;
      return hash === '' || target.ids.includes(decodeURIComponent(hash.slice(1)))
        ? []
        : `${link}: no such heading`;
    });
    expect(faults).toEqual([]);
  });

  test('has one title, headings in their order, and no id twice', () => {
    const { html, ids } = pages.get(name)!;
    const levels = all(html, /<h([1-6])[ >]/g).map(Number);
    // The title of the home page is that of its hero
    expect(levels.filter(level => level === 1)).toHaveLength(name === 'index' ? 0 : 1);
    const skipped = levels.filter((level, n) => level > (levels[n - 1] ?? (name === 'index' ? 1 : 0)) + 1);
    expect(skipped).toEqual([]);
    expect(ids.filter((id, n) => ids.indexOf(id) !== n)).toEqual([]);
  });

  test('says what its images show, and where its links lead', () => {
    const { html } = pages.get(name)!;
    expect(all(html, /(<img(?![^>]* alt="[^"])[^>]*>)/g)).toEqual([]);
    const words = all(html, /<a href="[^"]+"[^>]*>(.*?)<\/a>/g).map(text => text.replace(/<[^>]+>/g, ''));
    expect(words.filter(text => /^(?:here|this|link|more|)$/i.test(text.trim()))).toEqual([]);
  });
});

const texts = [...documents, 'CONTRIBUTING.md', 'benchmarks/*.md', 'packages/*/*/RESULTS.md'];
const files = markdownFiles(root, texts).filter(file => !file.startsWith(`${docs}/`));

test.each(files.map(file => relative(root, file)))('the links of %s lead to files and headings', file => {
  const path = resolve(root, file);
  const text = readFileSync(path, 'utf8').replace(/^```[\s\S]*?^```$/gm, '');
  const anchors = anchorsOf(text);
  const faults = all(text, /\]\(([^)\s]+)\)/g).flatMap(link => {
    if (link.startsWith('#')) return anchors.has(link.slice(1)) ? [] : `${link}: no such heading`;
    if (link.startsWith(repository)) return faultOf(link) ?? [];
    if (/^[a-z]+:|^\//i.test(link)) return [];
    const place = relative(root, resolve(dirname(path), link.replace(/#.*/, '')));
    return faultOf(`/blob/main/${place}${link.includes('#') ? link.slice(link.indexOf('#')) : ''}`) ?? [];
  });
  expect(faults).toEqual([]);
});

test('a link of a README to a page of the docs stays on the site', () => {
  const readme = resolve(root, 'packages/queue/README.md');
  expect(linkFrom(readme, `${repository}/blob/main/docs/recipes/queues.md#test-it`)).toBe(
    '/recipes/queues#test-it',
  );
  expect(linkFrom(readme, `${repository}/blob/main/docs/examples/queue/first.ts`)).toMatch(/^https:/);
});
