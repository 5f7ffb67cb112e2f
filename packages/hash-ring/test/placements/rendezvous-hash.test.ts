import { describe, expect, it } from 'vitest';
import { DuplicateNodeError, RendezvousHash, UnknownNodeError } from '../../src/index.ts';

const keys = Array.from({ length: 40_000 }, (_, i) => `user:${i}`);

describe('RendezvousHash', () => {
  it('shares by weight, closely', () => {
    const weights = [1, 3, 2, 0.5, 7];
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const placement = new RendezvousHash(weights.map((weight, i) => ({ id: `n${i}`, weight })));
    const counts = weights.map((_, i) => keys.filter(key => placement.get(key) === `n${i}`).length);
    for (const [i, weight] of weights.entries()) {
      expect(Math.abs(counts[i]! / keys.length - weight / total)).toBeLessThan(0.01);
      expect(placement.shareOf(`n${i}`)).toBeCloseTo(weight / total, 12);
    }
  });

  it('changes as if built anew, and moves only keys to or from the node that changed', () => {
    const changing = new RendezvousHash(['a', 'b', 'c', 'd']);
    const before = keys.map(key => changing.get(key));
    changing.setWeight('b', 2);
    const heavier = keys.map(key => changing.get(key));
    expect(heavier.every((id, i) => id === before[i] || id === 'b')).toBe(true);
    changing.setWeight('b', 1);
    changing.add('e');
    changing.remove('a');
    const anew = new RendezvousHash(['e', 'd', 'c', 'b']);
    expect(keys.every(key => changing.get(key) === anew.get(key))).toBe(true);
    expect(() => changing.add('e')).toThrow(DuplicateNodeError);
    expect(() => changing.remove('a')).toThrow(UnknownNodeError);
    expect(() => changing.setWeight('a', 1)).toThrow(UnknownNodeError);
  });

  it('may change while it is walked', () => {
    const placement = new RendezvousHash(['a', 'b', 'c']);
    const asked: string[] = [];
    placement.find('user:1', id => {
      asked.push(id);
      placement.remove(id);
      return false;
    });
    expect(asked.sort()).toEqual(['a', 'b', 'c']);
    expect(placement.size).toBe(0);
  });
});
