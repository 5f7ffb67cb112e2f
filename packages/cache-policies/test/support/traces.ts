import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

const folder = new URL('../../../../../shared/traces/', import.meta.url);

/** Whether the traces lie beside the checkout, as they do on CI; tests must mean something without them too. */
export const haveTraces: boolean = existsSync(new URL('reference-hits.csv', folder));

const read = new Map<string, Int32Array>();

/** The keys of a trace, numbered by first appearance, so that they are small integers whatever the trace has. */
export function readTrace(name: string): Int32Array {
  const known = read.get(name);
  if (known !== undefined) return known;
  const lines = gunzipSync(readFileSync(new URL(`${name}.gz`, folder)))
    .toString('latin1')
    .split('\n');
  const numbers = new Map<string, number>();
  const keys: number[] = [];
  for (const line of lines) {
    if (line === '') continue;
    const number = numbers.get(line) ?? numbers.size;
    numbers.set(line, number);
    keys.push(number);
  }
  const trace = Int32Array.from(keys);
  read.set(name, trace);
  return trace;
}

export interface ReferenceCell {
  readonly trace: string;
  readonly requests: number;
  readonly cacheSize: number;
  readonly policy: string;
  readonly hits: number;
}

const { ALL_TRACES } = process.env;

/** The long traces are replayed by `npm run traces` alone, which sets ALL_TRACES. */
const longest = ALL_TRACES === undefined ? 120_000 : Infinity;

/** Exact hits of a policy, or of all, in the reference simulators, where they are; no more requests than is quick. */
export function referenceCells(policy?: string): ReferenceCell[] {
  return rows('reference-hits.csv')
    .map(([trace = '', requests, , cacheSize, name = '', hits]) => ({
      trace,
      requests: Number(requests),
      cacheSize: Number(cacheSize),
      policy: name,
      hits: Number(hits),
    }))
    .filter(cell => (policy === undefined || cell.policy === policy) && cell.requests <= longest);
}

/** As `referenceCells`, of libCacheSim alone and as exact as it prints: a ten-thousandth of the requests. */
export function libCacheSimCells(policy: string): ReferenceCell[] {
  const cells = new Set(referenceCells('LRU').map(({ trace, cacheSize }) => `${trace} ${cacheSize}`));
  return rows('reference-miss-ratios.csv')
    .filter(([trace, , , size, , source, name]) => {
      return source?.startsWith('libCacheSim') && name === policy && cells.has(`${trace} ${size}`);
    })
    .map(([trace = '', requests, , cacheSize, , , , missRatio]) => ({
      trace,
      requests: Number(requests),
      cacheSize: Number(cacheSize),
      policy,
      hits: Number(requests) * (1 - Number(missRatio)),
    }));
}

function rows(name: string): string[][] {
  if (!haveTraces) return [];
  const [, ...lines] = readFileSync(new URL(name, folder), 'utf8').trim().split('\n');
  return lines.map(line => line.split(','));
}
