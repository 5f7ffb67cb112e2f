import { describe, expect, it } from 'vitest';
import { arc, type Eviction, fifo, lirs, sieve } from '../src/index.ts';
import { replay } from './support/replay.ts';
import { haveTraces, readTrace, referenceCells } from './support/traces.ts';

interface Reference {
  /** As reference-hits.csv names it. */
  readonly row: string;
  readonly eviction: Eviction;
  /** How far from the reference, in points of hit ratio. */
  readonly within: number;
}

const references: readonly Reference[] = [
  { row: 'FIFO', eviction: fifo, within: 0 },
  { row: 'Sieve', eviction: sieve, within: 0 },
  { row: 'ARC', eviction: arc, within: 0.1 },
  { row: 'LIRS', eviction: lirs, within: 0.5 },
];

/** Part of the cells by default, all of them by `npm run traces`. */
describe.runIf(haveTraces)('on real traces', () => {
  for (const { row, eviction, within } of references) {
    it(`${row} has the hits of the reference simulators, within ${within} points`, {
      timeout: 300_000,
    }, () => {
      const cells = referenceCells(row);
      expect(cells.length).toBeGreaterThan(20);
      for (const { trace, cacheSize, hits, requests } of cells) {
        const keys = readTrace(trace);
        expect(keys.length).toBe(requests);
        const points = (replay(eviction({ max: cacheSize }), keys) - hits) / (requests / 100);
        expect(Math.abs(points), `${trace} at ${cacheSize}: off by ${points} points`).toBeLessThanOrEqual(
          within,
        );
      }
    });
  }
});
