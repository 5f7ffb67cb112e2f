import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { docs, linkFrom } from './repository.ts';
import { withSections } from './sections.ts';
import { withTables } from './tables.ts';

const snippet = /^<<< (?<file>[^#{\s]+)(?:#(?<region>[\w-]+))?(?:\{(?<language>\w+)\})?$/gm;

/** The code that `<<< file#region` stands for, without its indentation. */
function snippetOf(page: string, file: string, region: string | undefined): string {
  const path = resolve(dirname(page), file);
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  if (region === undefined) return lines.join('\n');
  const isMark = (word: string) => (line: string) => line.trim() === `// #${word} ${region}`;
  const [start, end] = [lines.findIndex(isMark('region')), lines.findIndex(isMark('endregion'))];
  if (start === -1 || end < start) throw new Error(`${path} has no region ${region}`);
  const code = lines.slice(start + 1, end);
  const indents = code.filter(line => line !== '').map(line => line.length - line.trimStart().length);
  const indent = Math.min(...indents);
  return code.map(line => line.slice(indent)).join('\n');
}

/** The Markdown of a page with its code, and what it shows of READMEs, in place. */
export function withCode(markdown: string, page: string): string {
  return withSections(withTables(markdown)).replace(
    snippet,
    (_line, file: string, region: string | undefined, language = 'ts') =>
      `\`\`\`${language}\n${snippetOf(page, file, region)}\n\`\`\``,
  );
}

/**
 * A page as Markdown that stands alone: code and tables in place, no front matter, no HTML and no components. Links lead to
 * the Markdown of other pages below `base`, or to the repository.
 */
export function plainPage(markdown: string, page: string, base: string): string {
  const text = withCode(markdown, page)
    .replace(/^---\n[\s\S]*?\n---\n/, '')
    .replace(/^:::.*\n/gm, '')
    .replace(/^<(?:\/?(?:div|section)\b.*|[A-Z]\w* \/)>\n/gm, '')
    .replace(/^(```sh) \[.*\]$/gm, '$1')
    .replace(/^(#+ .*) \{#[\w-]+\}$/gm, '$1')
    .replace(
      /\]\(([^)\s]+)\)/g,
      (_whole, link: string) => `](${plainLink(linkFrom(page, link), page, base)})`,
    );
  return `${text.replace(/\n{3,}/g, '\n\n').trim()}\n`;
}

function plainLink(link: string, page: string, base: string): string {
  if (/^(?:[a-z]+:|#)/i.test(link)) return link;
  const [path = '', fragment] = link.split('#');
  const place = path.startsWith('/') ? path.slice(1) : relative(docs, resolve(dirname(page), path));
  return `${base}${place === '' ? 'index' : place}.md${fragment === undefined ? '' : `#${fragment}`}`;
}
