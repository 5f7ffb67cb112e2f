import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { it } from 'vitest';

const folder = new URL('../../../../shared/traces/', import.meta.url);

/** Where a trace is when the traces lie beside the checkout. */
export function traceFile(name: string): string {
  return fileURLToPath(new URL(`${name}.gz`, folder));
}

/** The exact LRU results of the reference simulators. */
export function referenceHits(trace: string, size: number): { hits: number; misses: number } {
  const rows = readFileSync(new URL('reference-hits.csv', folder), 'utf8').split('\n');
  const row = rows
    .map(line => line.split(','))
    .find(([t, , , s, p]) => t === trace && s === `${size}` && p === 'LRU');
  return { hits: Number(row?.[5]), misses: Number(row?.[6]) };
}

/** A test that reads a real trace. Without it the test is skipped, and says so; in CI, which has them, it fails. */
export function withTrace(trace: string, name: string, test: () => Promise<void>, timeoutMs?: number): void {
  it(
    name,
    async context => {
      const { CI } = process.env;
      const there = existsSync(traceFile(trace));
      if (!there && CI !== 'true') context.skip(`${trace} is not at ../shared/traces beside the checkout`);
      await test();
    },
    timeoutMs,
  );
}

/** Keys as numbers, in order of their first appearance. */
export function numbered(keys: readonly string[]): Int32Array {
  const numbers = new Map<string, number>();
  return Int32Array.from(keys, key => {
    if (!numbers.has(key)) numbers.set(key, numbers.size);
    return numbers.get(key)!;
  });
}
