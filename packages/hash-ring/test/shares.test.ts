import { describe, expect, it } from 'vitest';
import { HashRing } from '../src/index.ts';

/** The greatest share of 100 nodes over the average, exactly: what each would lose to a single other node. */
function peakToAverage(vnodes: number): number {
  const ids = Array.from({ length: 100 }, (_, i) => `10.0.0.${i}:8080`);
  const moves = new HashRing(ids, { vnodes }).movesTo(new HashRing(['other'], { vnodes }));
  expect(moves).toHaveLength(100);
  return Math.max(...moves.map(({ share }) => share)) * 100;
}

describe('the shares of a HashRing', () => {
  it('are as even as the README says', () => {
    expect(peakToAverage(160)).toBeCloseTo(1.22, 2);
    expect(peakToAverage(1600)).toBeCloseTo(1.06, 2);
  });
});
