import { alignedTable, printable } from '@workspace/program';

/** Text, or the rows of a table. Returns the exit code. */
export function print(text: string | readonly (readonly string[])[]): number {
  process.stdout.write(`${printable(typeof text === 'string' ? text : alignedTable(text))}\n`);
  return 0;
}

export function printJson(value: object | null): number {
  process.stdout.write(`${JSON.stringify(value)}\n`);
  return 0;
}

/** The rows of a table as lines. */
export function linesOf(rows: readonly (readonly string[])[]): string[] {
  return alignedTable(rows).split('\n');
}
