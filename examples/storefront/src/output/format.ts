const grouped = new Intl.NumberFormat('en-US');

export function count(number: number): string {
  return grouped.format(number);
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

export function milliseconds(ms: number): string {
  return `${ms < 100 ? ms.toFixed(1) : count(Math.round(ms))} ms`;
}

/** Columns as wide as they need be, the first one to the left, figures to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, { length }] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, length);
  }
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join('   ');
  return rows.map(row => line(row).trimEnd()).join('\n');
}
