import { describe, expect, test } from 'vitest';
import { pathAlong, placeOf } from '../../.vitepress/theme/ring/geometry.ts';
import { moduloMoves, RingDemo, told } from '../../.vitepress/theme/ring/ring-demo.ts';

const top = 2 ** 32 - 1;

/** Who owns the hash, going by the arcs that are drawn. */
function drawnOwner(demo: RingDemo, hash: number): string[] {
  const covers = ([first, last]: readonly [number, number]) => first <= hash && hash <= last;
  return demo
    .nodes()
    .filter(({ ranges }) => ranges.some(covers))
    .map(({ id }) => id);
}

describe('the picture', () => {
  test('arcs cover the circle once, and agree with look-ups', () => {
    const demo = new RingDemo(5, 16);
    demo.setWeight('cache-b', 2);
    demo.setDown('cache-c', true);
    for (let n = 0; n < 500; n++) {
      const { hash, order } = demo.lookUp(`key ${n}`);
      expect(drawnOwner(demo, hash)).toEqual([order[0]]);
    }
    expect(drawnOwner(demo, 0)).toHaveLength(1);
    expect(drawnOwner(demo, top)).toHaveLength(1);
    expect(demo.nodes().reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
  });

  test('hashes go clockwise from the top', () => {
    expect(placeOf(0, 100)).toEqual({ x: 0, y: -100 });
    expect(placeOf(2 ** 30, 100)).toEqual({ x: 100, y: 0 });
    expect(placeOf(2 ** 31, 100)).toEqual({ x: 0, y: 100 });
  });

  test('a whole circle is drawn, in halves', () => {
    expect(pathAlong([[0, top]], 10)).toBe('M0 -10A10 10 0 0 1 0 10A10 10 0 0 1 0 -10');
  });
});

describe('the news', () => {
  test('what joins takes its share and nothing else moves', () => {
    const demo = new RingDemo(4, 160);
    demo.add();
    const { share } = demo.nodes().find(({ id }) => id === 'cache-e')!;
    expect(demo.change?.moved).toBeCloseTo(share, 9);
    expect(told(demo.change!)).toMatch(
      /^cache-e joined: \d+\.\d % of the keys moved, all of them to cache-e\. With hash\(key\) % n .* 80\.0 %\.$/,
    );
  });

  test('what leaves takes its keys along', () => {
    const demo = new RingDemo(2, 16);
    demo.remove('cache-a');
    expect(told(demo.change!)).toContain(
      'all of them to cache-b. With hash(key) % n it would have been 50.0 %.',
    );
  });

  test('keys come back with a node that was down', () => {
    const demo = new RingDemo(3, 16);
    const before = demo.nodes();
    demo.setDown('cache-b', true);
    const away = demo.change?.moved;
    demo.setDown('cache-b', false);
    expect(demo.change?.moved).toBe(away);
    expect(demo.nodes()).toEqual(before);
  });

  test('nodes stay down when the number of points changes, and the weights too', () => {
    const demo = new RingDemo(3, 16);
    demo.setWeight('cache-a', 2);
    demo.setDown('cache-b', true);
    demo.setVnodes(1);
    expect(demo.change?.moved).toBeGreaterThan(0);
    expect(demo.nodes().map(({ weight, down, share }) => [weight, down, share > 0])).toEqual([
      [2, false, true],
      [1, true, false],
      [1, false, true],
    ]);
  });

  test('the last node may leave, and a name is free again', () => {
    const demo = new RingDemo(1, 16);
    demo.remove('cache-a');
    expect(demo.lookUp('key').order).toEqual([]);
    expect(told(demo.change!)).toBe('cache-a left: no key moved.');
    demo.add();
    expect(demo.nodes().map(({ id, share }) => [id, share])).toEqual([['cache-a', 1]]);
  });

  test('seven nodes are the most', () => {
    const demo = new RingDemo(6, 1);
    expect(demo.isFull).toBe(false);
    demo.add();
    expect(demo.isFull).toBe(true);
    demo.add();
    expect(demo.nodes()).toHaveLength(7);
  });

  test.each([
    [4, 5, 0.8],
    [5, 4, 0.8],
    [2, 4, 0.5],
    [3, 3, 0],
  ])('a remainder by %i instead of %i differs for %f of all hashes', (before, after, part) => {
    expect(moduloMoves(before, after)).toBeCloseTo(part, 12);
  });
});
