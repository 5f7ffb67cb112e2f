import { InvalidOptionError } from '@ashlar/core';
import { describe, expect, it } from 'vitest';
import { placements } from './placements.ts';

/** By default: a ring with fewer vnodes or a greater table takes them. */
const refusesAMillion: ReadonlySet<string> = new Set(['HashRing', 'MaglevTable']);

const million = Array.from({ length: 1_000_000 }, (_, i) => `node-${i}`);
/** Ends what hangs; a busy machine may take long. */
const timeout = 300_000;

describe.each(placements)('$name with odd input', ({ name, make, features }) => {
  it('takes ids of any characters', () => {
    const odd = ['a\0b', ' ', '😀', '__proto__', 'constructor', '\u00e9', 'e\u0301', 'x'.repeat(10_000)];
    const placement = make(odd);
    const owners = new Set(Array.from({ length: 4_000 }, (_, i) => placement.get(`user:${i}`)));
    expect([...owners].sort()).toEqual([...odd].sort());
  });

  it('takes a million nodes, or says why not', { timeout }, () => {
    const answer = () => {
      const placement = make(million);
      return [placement.size, placement.find('key', id => id === placement.get('key'))];
    };
    if (refusesAMillion.has(name)) expect(answer).toThrow(InvalidOptionError);
    else expect(answer()).toEqual([1_000_000, expect.stringMatching(/^node-\d+$/)]);
  });

  it('has an answer when no weight is above 0', () => {
    if (!features.weights) return;
    const placement = make([{ id: 'a', weight: 0 }]);
    expect([placement.size, placement.getN('key', 1)]).toEqual([0, []]);
    expect(() => placement.get('key')).toThrow('no node can own a key');
  });
});
