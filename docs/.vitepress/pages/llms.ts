import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { DefaultTheme, PageData, SiteConfig } from 'vitepress';
import { plainPage } from './plain.ts';

type Part = DefaultTheme.SidebarItem;

/**
 * Writes each page as Markdown beside its HTML, and `llms.txt`, which lists them by the parts of the sidebar.
 *
 * @param pages what VitePress knows of each page, by its path below `docs`
 */
export function writePlainPages(
  site: SiteConfig,
  pages: ReadonlyMap<string, PageData>,
  sidebar: readonly Part[],
): void {
  const { base, title, description } = site.site;
  const write = (file: string, text: string) => {
    const target = resolve(site.outDir, file);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
  };
  for (const [page, { frontmatter }] of pages) {
    const path = resolve(site.srcDir, page);
    const { hero } = frontmatter as { hero?: { name: string; tagline: string } };
    const head = hero === undefined ? '' : `# ${hero.name}\n\n${hero.tagline}\n\n`;
    write(page, head + plainPage(readFileSync(path, 'utf8'), path, base));
  }
  const described = new Map(Array.from(pages, ([page, data]) => [page, data.description]));
  write('llms.txt', llmsText(`# ${title}\n\n> ${description}`, sidebar, described, base));
}

/** The text of `llms.txt`: a head, then for each part of the sidebar a list of links to Markdown. */
export function llmsText(
  head: string,
  sidebar: readonly Part[],
  described: ReadonlyMap<string, string>,
  base: string,
): string {
  const parts = sidebar.map(({ text, items = [] }) => {
    const lines = items.map(({ text, link = '' }) => {
      const page = `${link.slice(1)}.md`;
      return `- [${text}](${base}${page}): ${described.get(page)}`;
    });
    return `## ${text}\n\n${lines.join('\n')}`;
  });
  return `${[head, ...parts].join('\n\n')}\n`;
}
