import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Fence, type FencingToken, isStale, StaleTokenError } from '../../src/index.ts';

const a1 = { token: 1n, holder: 'a' };
const b1 = { token: 1n, holder: 'b' };
const b2 = { token: 2n, holder: 'b' };

it('refuses what is older, and an equal token of another holder', () => {
  expect(isStale(a1, undefined)).toBe(false);
  expect(isStale(a1, a1)).toBe(false);
  expect(isStale(b1, a1)).toBe(true);
  expect(isStale(b2, a1)).toBe(false);
  expect(isStale(a1, b2)).toBe(true);
});

it('tells what was presented and what was seen', () => {
  const fence = new Fence('the ledger');
  expect(fence.seen).toBeUndefined();
  fence.admit(a1);
  fence.admit(a1);
  fence.admit(b2);
  expect(() => fence.admit(b1)).toThrow('the ledger refused token 1 of "b": it has seen 2 of "b"');
  expect(() => fence.admit(a1)).toThrow(StaleTokenError);
  expect(fence.seen).toEqual(b2);
});

it('admits an order in which each token grows or stays with its holder', () => {
  const presented = fc.record({ token: fc.bigInt(0n, 5n), holder: fc.constantFrom('a', 'b') });
  const property = fc.property(fc.array(presented), all => {
    const fence = new Fence();
    const admitted: FencingToken[] = [];
    for (const one of all) {
      try {
        fence.admit(one);
        admitted.push(one);
      } catch {}
    }
    for (const [i, { token, holder }] of admitted.entries()) {
      for (const earlier of admitted.slice(0, i)) {
        expect(earlier.token < token || (earlier.token === token && earlier.holder === holder)).toBe(true);
      }
    }
  });
  fc.assert(property, { seed: 1 });
});
