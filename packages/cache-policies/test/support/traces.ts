import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { numbered, referenceRows, traceFile } from '@workspace/services/traces';

const read = new Map<string, Int32Array>();

/** The keys of a trace, numbered by first appearance, so that they are small integers whatever the trace has. */
export function readTrace(name: string): Int32Array {
  const known = read.get(name);
  if (known !== undefined) return known;
  const lines = gunzipSync(readFileSync(traceFile(name)))
    .toString('latin1')
    .split('\n');
  const trace = numbered(lines.filter(line => line !== ''));
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
  return referenceRows('reference-hits')
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
  return referenceRows('reference-miss-ratios')
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
