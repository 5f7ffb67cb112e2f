import { quoted, readmeOf } from './readme.ts';

/** A table of Markdown: the cells of its header, and its lines as they are written. */
export interface Table {
  readonly header: readonly string[];
  readonly lines: readonly string[];
}

const directive = /^<!-- tables: (?<name>[\w-]+), column (?<column>.+) -->$/gm;
const delimiter = /^\|(?: *:?-+:? *\|)+$/;

/** The tables of a Markdown text, in order. What looks like one in a fenced block is code. */
export function tablesOf(markdown: string): Table[] {
  const tables: Table[] = [];
  let lines: string[] = [];
  let fenced = false;
  for (const line of [...markdown.split(/\r?\n/), '']) {
    if (line.startsWith('```')) fenced = !fenced;
    if (!fenced && line.startsWith('|')) {
      lines.push(line);
      continue;
    }
    const [header = '', second = ''] = lines;
    if (delimiter.test(second)) tables.push({ header: cellsOf(header), lines });
    lines = [];
  }
  return tables;
}

/** The cells of a row, trimmed. A bar behind a backslash is part of a cell. */
export function cellsOf(row: string): string[] {
  return row
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map(cell => cell.trim());
}

/** The tables of a package's README that have a column of this name. */
export function tablesWith(name: string, column: string): Table[] {
  return tablesOf(readmeOf(name)).filter(({ header }) => header.includes(column));
}

/**
 * Puts the tables of a README in place of each line `<!-- tables: lb, column default -->`: all those that have the column,
 * each below a heading with the name that its first column has. So the site repeats what a README says and cannot differ.
 */
export function withTables(markdown: string): string {
  return markdown.replace(directive, (_line, name: string, column: string) => {
    const tables = tablesWith(name, column);
    if (tables.length === 0)
      throw new Error(`packages/${name}/README.md has no table with a column \`${column}\``);
    return tables.map(table => titled(table, name)).join('\n\n');
  });
}

function titled({ header, lines }: Table, name: string): string {
  const [title = ''] = header;
  const text = quoted(lines.join('\n'), name);
  return title.includes('`') ? `### ${title}\n\n${text}` : text;
}
