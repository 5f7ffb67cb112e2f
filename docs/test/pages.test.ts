import { existsSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { markdownFiles, typeErrors } from '@workspace/markdown-tests';
import { describe, expect, test } from 'vitest';
import { llmsText } from '../.vitepress/pages/llms.ts';
import { plainPage, withCode } from '../.vitepress/pages/plain.ts';
import { docs, linkFrom, repository, root } from '../.vitepress/pages/repository.ts';
import { sectionOf, withSections } from '../.vitepress/pages/sections.ts';
import { cellsOf, tablesOf, tablesWith, withTables } from '../.vitepress/pages/tables.ts';

const pages = markdownFiles(docs, ['**/*.md']).map(page => relative(docs, page));
const markdownOf = (page: string): string => readFileSync(resolve(docs, page), 'utf8');
const descriptionOf = (page: string) => /^description: (.*)$/m.exec(markdownOf(page))?.[1] ?? '';

describe.each(pages)('%s', page => {
  const path = resolve(docs, page);

  test('has its code, its tables and a description of its own', () => {
    // VitePress shows a file or region that is not there as text, and goes on
    expect(withCode(markdownOf(page), path)).not.toMatch(/^<<<|^<!-- /m);
    const description = descriptionOf(page);
    expect(description.length).toBeGreaterThan(60);
    expect(description.length).toBeLessThanOrEqual(160);
    expect(pages.filter(other => descriptionOf(other) === description)).toEqual([page]);
  });

  test('links to pages and files that are there', () => {
    const links = Array.from(markdownOf(page).matchAll(/\]\(([^)\s]+)\)/g), ([, link = '']) => link);
    const files = links.filter(link => !/^[a-z]+:|^#/i.test(link)).map(link => link.replace(/#.*/, ''));
    const places = files.map(link => {
      const place = link.startsWith('/') ? resolve(docs, link.slice(1)) : resolve(dirname(path), link);
      return existsSync(place) ? place : `${place}.md`;
    });
    expect(places.filter(place => !existsSync(place))).toEqual([]);
  });

  test('is Markdown that stands alone beside its HTML', () => {
    const plain = plainPage(markdownOf(page), path, '/ashlar/');
    expect(plain).not.toMatch(/^(?:---$|<<<|:::|<\/?[a-z]|<!--)/im);
    expect(plain).not.toMatch(/\]\((?!https:|#|\/ashlar\/[\w/-]+\.md(?:#[\w-]+)?\))/);
  });
});

/** The type check reads some thousand files; only that it ends matters, not how busy the machine is. */
const typeCheckMs = 600_000;

test(
  'every ts block of the pages is a program of its own that type-checks',
  () => {
    const files = pages.map(page => resolve(docs, page));
    const read = (file: string) => withCode(readFileSync(file, 'utf8'), file).replace(/^```js$/gm, '```text');
    expect(typeErrors(root, files, read)).toEqual([]);
  },
  typeCheckMs,
);

describe.each([
  'hash-ring',
  'lb',
  'cache-policies',
  'store',
  'queue',
  'replica-failover',
  'cron-precompute',
  'shard-router',
])('the page of %s', name => {
  test('has a demo that the theme knows', () => {
    // One that it does not know is an empty element, and no error
    const [, demo] = /^<(\w+) \/>$/m.exec(markdownOf(`packages/${name}.md`)) ?? [];
    const theme = readFileSync(resolve(docs, '.vitepress/theme/index.ts'), 'utf8');
    expect(theme).toContain(`  ${demo}: () => import(`); // when it is shown, not on every page
  });

  const page = withTables(markdownOf(`packages/${name}.md`));
  test.each(['default', 'code'])('shows every row of the tables of the README with a column `%s`', column => {
    const rows = tablesWith(name, column).flatMap(({ lines }) =>
      lines.slice(2).map(line => cellsOf(line)[0]),
    );
    expect(rows.length).toBeGreaterThan(2);
    const shown = tablesOf(page).flatMap(({ lines }) => lines.slice(2).map(line => cellsOf(line)[0]));
    expect(rows.filter(row => !shown.includes(row))).toEqual([]);
  });
});

describe('tables', () => {
  const text = '| a \\| b | `default` |\n|---|:-:|\n| 1 | 2 |\n\n```\n| no |\n|---|\n```\n| also no |\n';

  test('are found outside of code, with bars in their cells', () => {
    expect(tablesOf(text)).toEqual([
      { header: ['a \\| b', '`default`'], lines: ['| a \\| b | `default` |', '|---|:-:|', '| 1 | 2 |'] },
    ]);
  });

  test('that are not there are an error', () => {
    expect(() => withTables('<!-- tables: lb, column nonsense -->')).toThrow(
      'packages/lb/README.md has no table with a column `nonsense`',
    );
  });
});

describe('sections', () => {
  const text = '# a\n\n## Limits\n\none\n\n```\n## no heading\n```\n\n### within\n\n## Errors\n\ntwo\n';

  test('end before the next heading of their level, headings in code apart', () => {
    expect(sectionOf(text, 'Limits')).toBe('one\n\n```\n## no heading\n```\n\n### within');
    expect(sectionOf(text, 'Errors')).toBe('two');
    expect(sectionOf(text, 'no heading')).toBeUndefined();
  });

  test('that are not there are an error', () => {
    expect(() => withSections('<!-- section: lb, Nonsense -->')).toThrow(
      'packages/lb/README.md has no section `Nonsense`',
    );
  });
});

describe('links', () => {
  const page = resolve(docs, 'packages/lb.md');

  test.each([
    ['../../packages/lb/README.md#options', `${repository}/tree/main/packages/lb/README.md#options`],
    ['../examples/lb/first.ts', `${repository}/tree/main/docs/examples/lb/first.ts`],
    ['./store', './store'],
    ['/getting-started', '/getting-started'],
    ['https://nodejs.org/', 'https://nodejs.org/'],
    ['#options', '#options'],
  ])('%s leads to %s', (link, target) => {
    expect(linkFrom(page, link)).toBe(target);
  });
});

test('llms.txt lists the pages of the sidebar with their descriptions', () => {
  const sidebar = [{ text: 'Guide', items: [{ text: 'The storefront', link: '/storefront' }] }];
  const described = new Map([['storefront.md', 'An example.']]);
  expect(llmsText('# Ashlar', sidebar, described, '/docs/')).toBe(
    '# Ashlar\n\n## Guide\n\n- [The storefront](/docs/storefront.md): An example.\n',
  );
});
