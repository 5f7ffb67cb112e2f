import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { envoyRingHash, grpcRingHash } from '../../../src/compat/index.ts';
import { byCodePoint } from '../../../src/compat/system/system-nodes.ts';
import { addresses, alike, keys, withOneDown } from './envoy.ts';

describe('grpcRingHash', () => {
  const names = [...addresses(90, 12), '[::1]:90', 'unix:/run/a', '名:1', '🛒:1', '～:1'];

  it('is Envoy’s ring of the endpoints in the order of their bytes', () => {
    const sorted = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    for (const weights of [() => 1, (i: number) => 1 + (i % 5)]) {
      const nodes = names.map((id, i) => ({ id, weight: weights(i) }));
      const inOrder = sorted.map(id => nodes.find(node => node.id === id)!);
      const expected = envoyRingHash(inOrder, { maxRingSize: 4096 });
      alike(grpcRingHash(nodes), expected);
      alike(grpcRingHash([...nodes].reverse()), expected);
      alike(grpcRingHash(nodes, { order: 'given' }), envoyRingHash(nodes, { maxRingSize: 4096 }));
    }
  });

  it('orders texts as their bytes are ordered', () => {
    const texts = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '～', '\uffff', '\u{10000}', '🛒') });
    fc.assert(
      fc.property(texts, texts, (a, b) => {
        expect(Math.sign(byCodePoint(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
      { numRuns: 2_000, seed: 23 },
    );
  });

  it('caps the sizes of the ring', () => {
    const nodes = addresses(90, 3).map((id, i) => ({ id, weight: [1, 3, 9][i]! }));
    const capped = envoyRingHash(nodes, { minRingSize: 4096, maxRingSize: 4096 });
    alike(grpcRingHash(nodes, { minRingSize: 1_000_000, maxRingSize: 2_000_000 }), capped);
    const wide = { minRingSize: 10_000, maxRingSize: 10_000 };
    alike(grpcRingHash(nodes, { ...wide, ringSizeCap: 10_000 }), envoyRingHash(nodes, wide));
  });

  it('walks over an endpoint in TRANSIENT_FAILURE, which keeps its points', () => {
    const [nodes] = withOneDown();
    const whole = grpcRingHash(nodes.map(({ id, weight = 1 }) => ({ id, weight })));
    const failing = grpcRingHash(nodes);
    for (const key of keys) {
      const order = whole.getN(key, 6).filter(id => id !== nodes[2]!.id);
      expect(failing.getN(key, 6)).toEqual(order);
      expect(failing.get(key)).toBe(order[0]);
    }
  });
});
