const counts = new Intl.NumberFormat('en-US');

/** 1,234,567 */
export function count(number: number): string {
  return counts.format(number);
}

/** 12.34 % */
export function percent(ratio: number, digits: number = 2): string {
  return `${(ratio * 100).toFixed(digits)} %`;
}

/** Rows of cells as lines: the first column to the left, the others to the right. */
export function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)));
  return rows.map(row =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
}
