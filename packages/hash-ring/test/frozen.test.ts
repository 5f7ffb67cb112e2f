import { describe, expect, it } from 'vitest';
import { placements } from './placements.ts';

const weights = [1, 3, 2, 1, 7];
const nodes = (weighted: boolean) =>
  weights.map((weight, i) => ({ id: `10.0.0.${i + 1}:8080`, weight: weighted ? weight : 1 }));

/** One number over the owners of many keys. */
function fingerprint(get: (key: string) => string): number {
  let sum = 0;
  for (let i = 0; i < 20_000; i++) sum = (Math.imul(sum, 31) + Number(get(`user:${i}`).slice(7, -5))) >>> 0;
  return sum;
}

// Where a key lies is a promise: a release that changes one of these numbers moves the users' keys.
const frozen: Record<string, readonly number[]> = {
  HashRing: [701870481, 1394246847],
  MaglevTable: [2192496966, 256328704],
  RendezvousHash: [1213139822, 610850151],
  JumpHash: [365360537],
  MementoHash: [365360537],
};

describe.each(placements)('$name', ({ name, make, features }) => {
  it('places keys where every release has placed them', () => {
    const equal = make(nodes(false));
    const prints = [fingerprint(key => equal.get(key))];
    if (features.weights) {
      const weighted = make(nodes(true));
      prints.push(fingerprint(key => weighted.get(key)));
    }
    expect(prints).toEqual(frozen[name]);
  });
});
