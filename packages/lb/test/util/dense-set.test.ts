import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DenseSet, type DenseSetItem } from '../../src/util/dense-set.ts';

describe('DenseSet', () => {
  it('has what was added and not deleted', () => {
    const step = fc.oneof(fc.constant('add' as const), fc.nat());
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const set = new DenseSet<DenseSetItem>();
        const model: DenseSetItem[] = [];
        for (const each of steps) {
          if (each === 'add') {
            const item = { index: 0 };
            model.push(item);
            set.add(item);
          } else if (model.length > 0) {
            set.delete(model.splice(each % model.length, 1)[0]!);
          }
          expect(new Set(set)).toEqual(new Set(model));
          expect([...set]).toHaveLength(model.length);
        }
      }),
      { seed: 4 },
    );
  });

  it('can be emptied while it is iterated', () => {
    const set = new DenseSet<DenseSetItem>();
    const items = Array.from({ length: 10 }, () => ({ index: 0 }));
    for (const item of items) set.add(item);
    const seen: DenseSetItem[] = [];
    for (const item of set) {
      set.delete(item);
      seen.push(item);
    }
    expect(seen).toEqual(items);
    expect([...set]).toEqual([]);
  });
});
