import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Backoff, seededRandom } from '../../src/index.ts';

describe('Backoff', () => {
  it('draws each pause evenly up to a ceiling that doubles', () => {
    const highest = new Backoff({ firstMs: 10, maxMs: 50 }, () => 1 - Number.EPSILON);
    expect([1, 2, 3, 4, 5].map(() => Math.round(highest.nextMs()))).toEqual([10, 20, 40, 50, 50]);
    const lowest = new Backoff({ firstMs: 10, maxMs: 50 }, () => 0);
    expect([1, 2, 3].map(() => lowest.nextMs())).toEqual([0, 0, 0]);
  });

  it('begins anew after a success', () => {
    const backoff = new Backoff({ firstMs: 10, maxMs: 1_000 }, () => 0.5);
    backoff.nextMs();
    backoff.nextMs();
    expect(backoff.failures).toBe(2);
    backoff.reset();
    expect(backoff.nextMs()).toBe(5);
  });

  it('stays finite and within its limits however many failures there are', () => {
    const limits = fc.record({
      firstMs: fc.double({ min: 0.001, max: 1e6, noNaN: true }),
      maxMs: fc.double({ min: 1, max: 1e9, noNaN: true }),
    });
    fc.assert(
      fc.property(limits, fc.integer(), ({ firstMs, maxMs }, seed) => {
        const backoff = new Backoff({ firstMs, maxMs }, seededRandom(seed));
        for (let failure = 0; failure < 1_100; failure++) {
          const pauseMs = backoff.nextMs();
          if (!(pauseMs >= 0 && pauseMs < maxMs)) return false;
        }
        return true;
      }),
      { numRuns: 20, seed: 1 },
    );
  });
});
