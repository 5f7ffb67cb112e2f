/** A table of Markdown, to be read in a terminal and pasted into a README. The first row is the head; figures are to the right. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const [head, ...others] = padded(rows, 3).map(cells => `| ${cells.join(' | ')} |`);
  const rule = widthsOf(rows, 3).map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [head, `| ${rule.join(' | ')} |`, ...others].join('\n');
}

const gaps = ['   ', '  '] as const;

/**
 * Columns as wide as they need be, the first one to the left, figures to the right. What is wider than `width` stands closer;
 * columns that do not fit even then follow below, beside the first one again.
 */
export function alignedTable(
  rows: readonly (readonly string[])[],
  width: number = Number.POSITIVE_INFINITY,
): string {
  const widths = widthsOf(rows, 0);
  const gap = gaps.find(({ length }) => widthWith(widths, length) <= width);
  const parts = gap === undefined ? partsOf(widths, width) : [widths.map((_, column) => column)];
  return parts
    .map(columns =>
      padded(
        rows.map(row => columns.flatMap(column => row[column] ?? [])),
        0,
      )
        .map(cells => cells.join(gap ?? gaps[0]).trimEnd())
        .join('\n'),
    )
    .join('\n\n');
}

/** The columns of each part, of which the first is in all. */
function partsOf(widths: readonly number[], width: number): number[][] {
  const parts: number[][] = [];
  for (const column of widths.keys()) {
    if (column === 0) continue;
    const last = parts.at(-1);
    const wider = [...(last ?? [0]), column];
    const fits =
      widthWith(
        wider.map(each => widths[each]!),
        gaps[0].length,
      ) <= width;
    if (last === undefined || !fits) parts.push([0, column]);
    else last.push(column);
  }
  return parts;
}

function widthWith(widths: readonly number[], gap: number): number {
  return widths.reduce((sum, width) => sum + gap + width, -gap);
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
