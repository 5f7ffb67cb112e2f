import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Continuum } from '../../src/ring/continuum.ts';

type Point = readonly [point: number, owner: number];

const precedes = (a: number, b: number) => a < b;
// Many ties: half of the points lie on a few places, among them the ends of the circle
const place = fc.oneof(fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
const points = fc.array(fc.tuple(place, fc.integer({ min: 0, max: 5 })), { maxLength: 60 });

function build(list: readonly Point[]): Continuum {
  return Continuum.of(
    Uint32Array.from(list, ([point]) => point),
    Uint32Array.from(list, ([, owner]) => owner),
    precedes,
  );
}

function listOf(continuum: Continuum): Point[] {
  return Array.from({ length: continuum.size }, (_, i) => [continuum.points[i]!, continuum.owners[i]!]);
}

function sorted(list: readonly Point[]): Point[] {
  return [...list].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
}

describe('Continuum', () => {
  it('holds its points in order, whatever order they came in', () => {
    fc.assert(fc.property(points, list => void expect(listOf(build(list))).toEqual(sorted(list))));
  });

  it('finds the first point at or after a hash', () => {
    fc.assert(
      fc.property(points, place, (list, hash) => {
        const first = sorted(list).findIndex(([point]) => point >= hash);
        expect(build(list).successor(hash)).toBe(first === -1 ? list.length : first);
      }),
    );
  });

  it('closes the circle: behind the last point comes the owner of the first', () => {
    fc.assert(
      fc.property(points, list => {
        const { owners, size } = build(list);
        if (size > 0) expect(owners[size]).toBe(owners[0]);
      }),
    );
  });

  it('with or without an owner, is as if built so', () => {
    fc.assert(
      fc.property(points, fc.array(place, { maxLength: 20 }), (list, added) => {
        const before = build(list.filter(([, owner]) => owner !== 3));
        const after = before.with(Uint32Array.from(added).sort(), 3, precedes);
        const all: Point[] = [...listOf(before), ...added.map((point): Point => [point, 3])];
        expect(listOf(after)).toEqual(sorted(all));
        expect(listOf(after.without(3, added.length))).toEqual(listOf(before));
      }),
    );
  });

  it('takes at most 12 bytes a point', () => {
    const bytesPerPoint = (size: number) => {
      const continuum = build(Array.from({ length: size }, (_, i): Point => [(i * 2654435761) >>> 0, 0]));
      return continuum.byteLength / size;
    };
    for (const size of [1_000, 1_023, 16_000, 16_384, 160_000])
      expect(bytesPerPoint(size)).toBeLessThan(12.05);
  });
});
