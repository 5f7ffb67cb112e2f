import { InvalidOptionError } from '@ashlar/core';
import { describe, expect, it } from 'vitest';
import {
  DuplicateNodeError,
  HashRing,
  JumpHash,
  MaglevTable,
  MementoHash,
  RendezvousHash,
} from '../src/index.ts';
import { placements } from './placements.ts';

/** By default: a ring with fewer vnodes or a greater table takes them. */
const refusesAMillion: ReadonlySet<string> = new Set(['HashRing', 'MaglevTable']);

describe.each(placements)('$name with bad input', ({ name, make, features }) => {
  it.each([
    [[''], 'the `id` of a node must be a string that is not empty, got ""'],
    [[42 as never], 'the `id` of a node must be a string that is not empty, got undefined'],
    [[null as never], 'the `id` of a node must be a string that is not empty, got undefined'],
    [[{ id: 7 } as never], 'the `id` of a node must be a string that is not empty, got 7 (number)'],
    [['\ud800'], 'the `id` of a node must be valid Unicode'],
    [[{ id: 'a', zone: 1 } as never], 'the `zone` of node "a" must be a string, got 1 (number)'],
    [
      [{ id: 'a', weight: -1 }],
      '`weight` must be a number of at least 0 and at most 1000000, got -1 (number)',
    ],
    [[{ id: 'a', weight: Number.NaN }], 'got NaN (number)'],
    [[{ id: 'a', weight: Number.POSITIVE_INFINITY }], 'got Infinity (number)'],
    [[{ id: 'a', weight: '2' as never }], 'got "2"'],
    ['abc' as never, '`nodes` must be a list of nodes, got the string "abc"'],
  ])('refuses the nodes %j', (nodes, message) => {
    expect(() => make(nodes)).toThrow(InvalidOptionError);
    expect(() => make(nodes)).toThrow(message);
  });

  it('refuses a node that is given twice', () => {
    expect(() => make(['a', 'b', 'a'])).toThrow(DuplicateNodeError);
    expect(() => make(['a', 'b', 'a'])).toThrow('node "a" is there already');
  });

  it('takes ids of any characters', () => {
    const odd = ['a\0b', ' ', '😀', '__proto__', 'constructor', '\u00e9', 'e\u0301', 'x'.repeat(10_000)];
    const placement = make(odd);
    const owners = new Set(Array.from({ length: 4_000 }, (_, i) => placement.get(`user:${i}`)));
    expect([...owners].sort()).toEqual([...odd].sort());
  });

  it('refuses a count that is no number of nodes', () => {
    for (const count of [-1, 1.5, Number.NaN, '2' as never]) {
      expect(() => make(['a']).getN('key', count)).toThrow(InvalidOptionError);
    }
  });

  it('refuses a key that is neither a string nor bytes', () => {
    const placement = make(['a', 'b']);
    for (const key of [1, null, undefined, {}, ['a']] as never[]) {
      expect(() => placement.get(key)).toThrow(InvalidOptionError);
    }
  });

  it('takes a million nodes, or says why not', () => {
    const million = Array.from({ length: 1_000_000 }, (_, i) => `node-${i}`);
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

describe('options', () => {
  it.each([
    [() => new HashRing([], { vnodes: 0 }), '`vnodes` must be an integer of at least 1'],
    [() => new HashRing([], { vnodes: 1.5 }), '`vnodes` must be an integer'],
    [() => new HashRing([], { vnode: 5 } as never), 'HashRing has no option `vnode`'],
    [
      () => new HashRing([], { hash: 'md5' as never }),
      '`hash` must be a function that gives a 32-bit integer',
    ],
    [() => new RendezvousHash([], { hash: () => 0.5 }), 'for a key, got 0.5 (number)'],
    [() => new RendezvousHash([], { seed: 1 } as never), 'RendezvousHash has no option `seed`'],
    [() => new MaglevTable([], { hash: () => 1n as never }), 'got 1 (bigint)'],
    [() => new JumpHash([], { hash: (() => 'x') as never }), 'got "x"'],
    [() => new MementoHash([], { hash: (() => undefined) as never }), 'got a function'],
  ])('refuse what they cannot honor: %#', (make, message) => {
    expect(make).toThrow(InvalidOptionError);
    expect(make).toThrow(message);
  });
});
