import HashRing from 'hashring';
import { describe, expect, it } from 'vitest';
import { ketama } from '../../src/compat/index.ts';
import { sampleKeys } from './support/keys.ts';

const keys = sampleKeys(2_000, 5);
const ids = (count: number, port = '') => Array.from({ length: count }, (_, i) => `cache-${i}${port}`);

describe('ketama, for those who leave the package hashring 3', () => {
  it.each([1, 2, 3, 10, 40])('has every key of %i nodes where it was', count => {
    for (const nodes of [ids(count), ids(count, ':8080')]) {
      const [ours, theirs] = [ketama(nodes), new HashRing(nodes)];
      expect(keys.filter(key => ours.get(key) !== theirs.get(key))).toEqual([]);
    }
  });

  it.each([7, 14, 25, 28])(
    'has all but a few keys in a hundred of %i nodes there: hashring rounds otherwise',
    count => {
      const nodes = ids(count);
      const [ours, theirs] = [ketama(nodes), new HashRing(nodes)];
      const moved = keys.filter(key => ours.get(key) !== theirs.get(key)).length / keys.length;
      expect(moved).toBeGreaterThan(0);
      expect(moved).toBeLessThan(0.05);
    },
  );

  it('has replicas where `range` had them', () => {
    const nodes = ids(10);
    const [ours, theirs] = [ketama(nodes), new HashRing(nodes)];
    for (const key of keys) expect(ours.getN(key, 3)).toEqual(theirs.range(key, 3));
  });

  it('has the keys of weighted nodes where they were', () => {
    const weights = [1, 2, 3, 5, 8];
    const nodes = ids(weights.length);
    const ours = ketama(nodes.map((id, i) => ({ id, weight: weights[i]! })));
    const theirs = new HashRing(Object.fromEntries(nodes.map((id, i) => [id, { weight: weights[i]! }])));
    expect(keys.filter(key => ours.get(key) !== theirs.get(key))).toEqual([]);
  });

  it('has them elsewhere for port 11211, unless hashring was told that it is the default', () => {
    const nodes = ids(5, ':11211');
    const [ours, theirs] = [ketama(nodes), new HashRing(nodes)];
    const told = new HashRing(nodes, 'md5', { 'default port': 11211 });
    expect(keys.filter(key => ours.get(key) !== theirs.get(key)).length).toBeGreaterThan(keys.length / 2);
    expect(keys.filter(key => ours.get(key) !== told.get(key))).toEqual([]);
  });
});
