import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Placed, UnderWay } from '../src/util/dense-set.ts';

describe('UnderWay', () => {
  it('has what was added and not deleted', () => {
    const step = fc.oneof(fc.constant('add' as const), fc.nat());
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const underWay = new UnderWay<Placed>();
        const model: Placed[] = [];
        for (const each of steps) {
          if (each === 'add') {
            const item = { place: 0 };
            model.push(item);
            underWay.add(item);
          } else if (model.length > 0) {
            underWay.delete(model.splice(each % model.length, 1)[0]!);
          }
          expect(new Set(underWay)).toEqual(new Set(model));
          expect([...underWay]).toHaveLength(model.length);
        }
      }),
      { seed: 4 },
    );
  });

  it('can be emptied by who goes through it', () => {
    const underWay = new UnderWay<Placed>();
    const items = Array.from({ length: 10 }, () => ({ place: 0 }));
    for (const item of items) underWay.add(item);
    const seen: Placed[] = [];
    for (const item of underWay) {
      underWay.delete(item);
      seen.push(item);
    }
    expect(seen).toEqual(items);
    expect([...underWay]).toEqual([]);
  });
});
