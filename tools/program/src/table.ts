/** A table of Markdown, to be read in a terminal and pasted into a README. The first row is the head; figures are to the right. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const [head, ...others] = padded(rows, 3).map(cells => `| ${cells.join(' | ')} |`);
  const rule = widthsOf(rows, 3).map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [head, `| ${rule.join(' | ')} |`, ...others].join('\n');
}

/** Columns as wide as they need be, the first one to the left, figures to the right. */
export function alignedTable(rows: readonly (readonly string[])[]): string {
  return padded(rows, 0)
    .map(cells => cells.join('   ').trimEnd())
    .join('\n');
}

function padded(rows: readonly (readonly string[])[], least: number): string[][] {
  const widths = widthsOf(rows, least);
  return rows.map(row =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))),
  );
}

function widthsOf(rows: readonly (readonly string[])[], least: number): number[] {
  const columns = Math.max(0, ...rows.map(({ length }) => length));
  return Array.from({ length: columns }, (_, column) =>
    Math.max(least, ...rows.map(row => row[column]?.length ?? 0)),
  );
}
