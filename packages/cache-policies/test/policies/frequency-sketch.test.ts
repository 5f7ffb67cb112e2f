import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrequencySketch } from '../../src/policies/w-tiny-lfu/frequency-sketch.ts';
import { KeyHash } from '../../src/slots/key-hash.ts';

const hash = new KeyHash(1);

describe('the sketch of frequencies', () => {
  it('never tells less than there was, and mostly just that', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 30 }), { maxLength: 400 }), keys => {
        const sketch = new FrequencySketch();
        sketch.ensureCapacity(64);
        const counts = new Map<number, number>();
        for (const key of keys) {
          sketch.record(hash.of(key));
          counts.set(key, (counts.get(key) ?? 0) + 1);
        }
        let exact = 0;
        for (const [key, count] of counts) {
          expect(sketch.frequency(hash.of(key))).toBeGreaterThanOrEqual(Math.min(15, count));
          if (sketch.frequency(hash.of(key)) === Math.min(15, count)) exact++;
        }
        expect(exact).toBeGreaterThanOrEqual(counts.size * 0.8);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('halves all after ten additions an entry, and counts on from half', () => {
    const sketch = new FrequencySketch();
    sketch.ensureCapacity(100);
    for (let i = 0; i < 12; i++) sketch.record(hash.of('popular'));
    expect(sketch.frequency(hash.of('popular'))).toBe(12);
    let most = 0;
    let before = 0;
    for (let key = 0; key < 2_000 && sketch.additions >= before; key++) {
      before = sketch.additions;
      sketch.record(hash.of(key));
      most = Math.max(most, sketch.additions);
    }
    expect(most).toBe(999);
    expect(sketch.frequency(hash.of('popular'))).toBe(6);
    // Most keys came once, so that most counters lost their one
    expect(sketch.additions).toBeLessThan(400);
  });

  it('counts no addition when all counters of a key are full', () => {
    const sketch = new FrequencySketch();
    for (let i = 0; i < 1_000; i++) sketch.record(hash.of('popular'));
    expect(sketch.frequency(hash.of('popular'))).toBe(15);
    expect(sketch.additions).toBe(15);
  });

  it('keeps what it knows when it grows', () => {
    const sketch = new FrequencySketch();
    for (let key = 0; key < 40; key++) for (let i = 0; i <= key % 10; i++) sketch.record(hash.of(key));
    sketch.ensureCapacity(10_000);
    for (let key = 0; key < 40; key++) {
      expect(sketch.frequency(hash.of(key))).toBeGreaterThanOrEqual((key % 10) + 1);
    }
    expect(sketch.frequency(hash.of('another'))).toBeLessThan(3);
  });

  it('is as new when cleared', () => {
    const sketch = new FrequencySketch();
    sketch.record(hash.of('a'));
    sketch.clear();
    expect([sketch.frequency(hash.of('a')), sketch.additions]).toEqual([0, 0]);
  });
});

describe('the hash of keys', () => {
  it('is one for keys that a Map takes for one', () => {
    expect(hash.of(-0)).toBe(hash.of(0));
    expect(hash.of(Number.NaN)).toBe(hash.of(Number('x')));
    expect(hash.of(['a', 'b'].join(''))).toBe(hash.of('ab'));
    expect(hash.of(10n)).toBe(hash.of(BigInt('10')));
    const object = {};
    expect(hash.of(object)).toBe(hash.of(object));
    expect(hash.of(object)).not.toBe(hash.of({}));
    const symbol = Symbol('a');
    expect(hash.of(symbol)).toBe(hash.of(symbol));
  });

  it('is another one with another seed, and spreads evenly', () => {
    const keys: ((i: number) => unknown)[] = [i => i, i => `user:${i}:profile`, i => i / 7, i => i * 65_536];
    for (const key of keys) {
      for (const seed of [0, 1, -5]) {
        const hashes = new KeyHash(seed);
        const buckets = new Int32Array(64);
        for (let i = 0; i < 64_000; i++) buckets[hashes.of(key(i)) >>> 26]!++;
        const chi = buckets.reduce((sum, count) => sum + (count - 1_000) ** 2 / 1_000, 0);
        expect(chi).toBeLessThan(130);
      }
    }
    expect(new KeyHash(1).of('a')).not.toBe(new KeyHash(2).of('a'));
  });
});
