import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  arc,
  clock,
  type Eviction,
  fifo,
  lfu,
  lirs,
  lru,
  opt,
  s3fifo,
  sieve,
  twoQueue,
} from '../../src/index.ts';
import { ArcModel, LirsModel } from '../support/models/adaptive-models.ts';
import {
  ClockModel,
  FifoModel,
  LfuModel,
  LruModel,
  type Model,
  optModel,
  S3FifoModel,
  SieveModel,
  TwoQueueModel,
} from '../support/models/models.ts';

interface Modeled {
  readonly name: string;
  readonly eviction: Eviction;
  readonly plain: (max: number) => Model;
}

const modeled: readonly Modeled[] = [
  { name: 'fifo', eviction: fifo, plain: max => new FifoModel(max) },
  { name: 'lru', eviction: lru, plain: max => new LruModel(max) },
  { name: 'clock', eviction: clock, plain: max => new ClockModel(max) },
  { name: 'sieve', eviction: sieve, plain: max => new SieveModel(max) },
  { name: 'lfu', eviction: bound => lfu({ ...bound, ageAfter: 3 }), plain: max => new LfuModel(max, 3) },
  {
    name: 'lfu without ageing',
    eviction: bound => lfu({ ...bound, ageAfter: false }),
    plain: max => new LfuModel(max),
  },
  { name: 'twoQueue', eviction: twoQueue, plain: max => new TwoQueueModel(max) },
  { name: 's3fifo', eviction: s3fifo, plain: max => new S3FifoModel(max) },
  { name: 'arc', eviction: arc, plain: max => new ArcModel(max) },
  { name: 'lirs', eviction: lirs, plain: max => new LirsModel(max) },
];

const key = fc.nat({ max: 24 });
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ op: fc.constant('getOrSet' as const), key }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('set' as const), key }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('delete' as const), key }) },
);

describe('beside a plain model', () => {
  it.each(modeled)('$name gives up the same keys in the same order', ({ eviction, plain: makePlain }) => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 16 }),
        fc.array(step, { maxLength: 150, size: 'max' }),
        (max, steps) => {
          const left: number[] = [];
          const onEvict = (key: number, _value: number, reason: string) => {
            if (reason === 'capacity') left.push(key);
          };
          const map = eviction<number, number>({ max, onEvict });
          const plain = makePlain(max);
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
        },
      ),
      { seed: 5, numRuns: 250 },
    );
  });

  it('opt has as many hits as looking ahead at each miss', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.array(key, { maxLength: 120 }), (max, requests) => {
        expect(opt(requests, max)).toBe(optModel(requests, max));
      }),
      { seed: 6, numRuns: 300 },
    );
  });
});
