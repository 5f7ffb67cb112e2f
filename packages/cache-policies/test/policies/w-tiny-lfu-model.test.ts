import { seededRandom } from '@ashlar/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Bound } from '../../src/index.ts';
import { Rejected } from '../../src/policies/w-tiny-lfu/rejected.ts';
import { WTinyLfu } from '../../src/policies/w-tiny-lfu/w-tiny-lfu.ts';
import { mix } from '../../src/slots/hash.ts';
import { WTinyLfuModel } from '../support/models/tiny-lfu-model.ts';

type Numbers = Bound<number, number>;
type Make = (bound: Numbers) => WTinyLfu<number, number>;

const key = fc.oneof({ weight: 3, arbitrary: fc.nat({ max: 24 }) }, fc.nat({ max: 60 }));
const weight = fc.integer({ min: 1, max: 4 });
const max = fc.integer({ min: 1, max: 40 });
const step = fc.oneof(
  { weight: 900, arbitrary: fc.record({ op: fc.constant('getOrSet' as const), key, weight }) },
  { weight: 150, arbitrary: fc.record({ op: fc.constant('set' as const), key, weight }) },
  { weight: 50, arbitrary: fc.record({ op: fc.constant('delete' as const), key }) },
  { weight: 10, arbitrary: fc.record({ op: fc.constant('resize' as const), max }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('clear' as const) }) },
);
const steps = fc.array(step, { maxLength: 3_000, size: 'max' });

function property(make: Make, weighs: boolean): fc.IProperty<unknown[]> {
  return fc.property(max, fc.nat(), steps, (max, seed, steps) => {
    let left: number[] = [];
    const onEvict = (key: number, _value: number, reason: string) => {
      if (reason === 'capacity') left.push(key);
    };
    const bound: Numbers = { max, random: seededRandom(seed), onEvict };
    const map = make(weighs ? { ...bound, weigh: (_key, value) => value } : bound);
    const plain = new WTinyLfuModel(max, seededRandom(seed));
    for (const step of steps) {
      const before = plain.left.length;
      if (step.op === 'delete') {
        expect(map.delete(step.key)).toBe(plain.delete(step.key));
      } else if (step.op === 'resize') {
        map.resize(step.max);
        plain.resize(step.max);
      } else if (step.op === 'clear') {
        map.clear();
        plain.clear();
      } else {
        const weight = weighs ? step.weight : 1;
        const there = plain.has(step.key);
        if (map.has(step.key) !== there) expect(map.has(step.key)).toBe(there);
        if (step.op === 'getOrSet' && map.get(step.key) !== undefined) plain.hit(step.key);
        else {
          map.set(step.key, weight);
          if (there) plain.replace(step.key, weight);
          else plain.add(step.key, weight);
        }
      }
      if (left.join() !== plain.left.slice(before).join()) expect(left).toEqual(plain.left.slice(before));
      left = [];
    }
    expect([...map].map(([key]) => key).sort()).toEqual(plain.keys().sort());
  });
}

class ReplacesUnnoticed extends WTinyLfu<number, number> {
  protected override touch(): void {}
}
class ResizesWithoutItsParts extends WTinyLfu<number, number> {
  protected override resized(): void {}
}
class GivesUpWithoutAContest extends WTinyLfu<number, number> {
  override set(key: number, value: number): this {
    if (!this.has(key) && this.weight === this.max) this.evict();
    return super.set(key, value);
  }
}

describe('wTinyLfu beside a plain model', () => {
  it.each([
    ['of weight 1', false],
    ['of several weights', true],
  ])('gives up the same entries in the same order, %s', (_, weighs) => {
    fc.assert(
      property(bound => new WTinyLfu(bound), weighs),
      { seed: 5, numRuns: 60, endOnFailure: true },
    );
  });

  it.each([ReplacesUnnoticed, ResizesWithoutItsParts, GivesUpWithoutAContest])(
    'differs if it is broken: %o',
    Broken => {
      const run = fc.check(
        property(bound => new Broken(bound), false),
        { seed: 5, numRuns: 60, endOnFailure: true },
      );
      expect(run.failed).toBe(true);
    },
  );

  it('knows how soon what was rejected came back, as a plain map would', () => {
    const rejection = fc.record({ op: fc.constantFrom('reject', 'come'), key: fc.nat({ max: 7 }) });
    fc.assert(
      fc.property(
        fc.integer({ min: 800, max: 1_200 }),
        fc.array(rejection, { maxLength: 300, size: 'max' }),
        (size, steps) => {
          const rejected = new Rejected();
          const plain = new Map<number, number>();
          const ages: number[] = [];
          rejected.missed(mix(100), 0, size);
          steps.forEach(({ op, key }, i) => {
            const now = 1 + 20 * i;
            if (op === 'reject') {
              rejected.add(mix(key), now);
              plain.set(key, now);
              return;
            }
            rejected.missed(mix(key), now, size);
            if (plain.has(key)) ages.push(now - plain.get(key)!);
            plain.delete(key);
          });
          const densities = [1, 2, 3, 4, 5, 6, 7, 8].map(eighths => {
            const more = (size * eighths) / 8;
            return ages.filter(age => age < more).length / more;
          });
          expect(rejected.bestDensity(size)).toBeCloseTo(Math.max(...densities), 12);
        },
      ),
      { seed: 7, numRuns: 200 },
    );
  });
});
