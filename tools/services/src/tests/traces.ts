import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { skippedFor, type TestChoice } from './skip-reason.ts';

const folder = new URL('../../../../../shared/traces/', import.meta.url);

/** Whether the recorded traces lie beside the checkout; they are too large to be in it. */
export const haveTraces: boolean = existsSync(new URL('reference-hits.csv', folder));

/** Options of a suite or test that replays traces: without them it is skipped, and the summary says why. */
export const withTraces: TestChoice = skippedFor(
  haveTraces ? undefined : 'the traces are not at ../shared/traces beside the checkout',
);

/** The path of a trace: a line for each request, which is its key, compressed by gzip. */
export function traceFile(trace: string): string {
  return fileURLToPath(new URL(`${trace}.gz`, folder));
}

/** The rows of a table of reference results, without its heading; none where the traces are missing. */
export function referenceRows(table: 'reference-hits' | 'reference-miss-ratios'): string[][] {
  if (!haveTraces) return [];
  const [, ...lines] = readFileSync(new URL(`${table}.csv`, folder), 'utf8')
    .trim()
    .split('\n');
  return lines.map(line => line.split(','));
}

/** Keys as numbers, in order of their first appearance, so that they are small integers whatever a trace has. */
export function numbered(keys: Iterable<string>): Int32Array {
  const numbers = new Map<string, number>();
  return Int32Array.from(keys, key => {
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    return number;
  });
}
