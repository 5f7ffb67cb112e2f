import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Eviction, fifo, sieve } from '../src/index.ts';
import { FifoModel, type Model, SieveModel } from './support/models.ts';

interface Modeled {
  readonly name: string;
  readonly eviction: Eviction;
  readonly model: new (max: number) => Model;
}

const modeled: readonly Modeled[] = [
  { name: 'fifo', eviction: fifo, model: FifoModel },
  { name: 'sieve', eviction: sieve, model: SieveModel },
];

const key = fc.nat({ max: 15 });
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ op: fc.constant('getOrSet' as const), key }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('set' as const), key }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('delete' as const), key }) },
);

describe('beside a plain model', () => {
  it.each(modeled)('$name gives up the same keys in the same order', ({ eviction, model: Plain }) => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.array(step, { maxLength: 120 }), (max, steps) => {
        const left: number[] = [];
        const onEvict = (key: number, _value: number, reason: string) => {
          if (reason === 'capacity') left.push(key);
        };
        const map = eviction<number, number>({ max, onEvict });
        const plain = new Plain(max);
        for (const { op, key } of steps) {
          if (op === 'delete') {
            expect(map.delete(key)).toBe(plain.delete(key));
          } else {
            const there = plain.has(key);
            expect(map.has(key)).toBe(there);
            if (op === 'getOrSet' && map.get(key) !== undefined) plain.hit(key);
            else {
              map.set(key, key);
              if (there) plain.hit(key);
              else plain.add(key);
            }
          }
          expect(left).toEqual(plain.left);
        }
        expect([...map].map(([key]) => key).sort()).toEqual(plain.keys().sort());
      }),
      { seed: 5, numRuns: 400 },
    );
  });
});
