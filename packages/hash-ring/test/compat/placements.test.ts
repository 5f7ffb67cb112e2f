import { InvalidOptionError } from '@ashlar/core';
import { describe, expect, it } from 'vitest';
import {
  envoyMaglev,
  envoyRingHash,
  grpcRingHash,
  haproxyHash,
  ketama,
  nginxHash,
  type SystemNode,
  twemproxyHash,
} from '../../src/compat/index.ts';
import { type PlacementFeatures, placementConformance } from '../../src/conformance.ts';
import { EmptyPlacementError, type Placement } from '../../src/index.ts';

interface Kind {
  readonly name: string;
  readonly make: (nodes: Iterable<string | SystemNode>) => Placement;
  readonly features: PlacementFeatures;
  /** Weights that the system refuses; 0.5, NaN and -1 go without saying. */
  readonly refused: readonly number[];
}

/** Counts that follow from the servers alone: leaving one out moves only its keys. */
const absolute = { weights: false, minimalMovement: 'any', orderFree: true, zones: true } as const;
/** Counts that follow from the whole. */
const relative = { ...absolute, minimalMovement: 'none' } as const;

const kinds: readonly Kind[] = [
  {
    name: 'nginxHash',
    make: nodes => nginxHash(nodes),
    features: { ...absolute, peakToAverage: 1.4 },
    refused: [0],
  },
  {
    name: 'nginxHash, not consistent',
    make: nodes => nginxHash(nodes, { consistent: false }),
    features: { ...relative, orderFree: false, peakToAverage: 1.05 },
    refused: [0],
  },
  {
    name: 'haproxyHash',
    make: nodes => haproxyHash(nodes),
    features: {
      ...absolute,
      weights: true,
      minimalMovement: 'last',
      orderFree: false,
      peakToAverage: 1.8,
    },
    refused: [257],
  },
  {
    name: 'ketama',
    make: nodes => ketama(nodes),
    features: { ...absolute, peakToAverage: 1.4 },
    refused: [0, 2 ** 32],
  },
  {
    name: 'ketama, unweighted',
    make: nodes => ketama(nodes, { weighted: false }),
    features: { ...absolute, peakToAverage: 1.4 },
    refused: [0, 2],
  },
  {
    name: 'twemproxyHash',
    make: nodes => twemproxyHash(nodes),
    features: { ...absolute, peakToAverage: 1.4 },
    refused: [0, 2 ** 31],
  },
  {
    name: 'twemproxyHash, modula',
    make: nodes => twemproxyHash(nodes, { distribution: 'modula' }),
    features: { ...relative, peakToAverage: 1.25 },
    refused: [0, 2 ** 31],
  },
  {
    name: 'envoyRingHash',
    make: nodes => envoyRingHash(nodes),
    features: { ...relative, peakToAverage: 1.4 },
    refused: [0, 2 ** 32],
  },
  {
    name: 'envoyMaglev',
    make: nodes => envoyMaglev(nodes),
    features: { ...relative, peakToAverage: 1.05 },
    refused: [0, 2 ** 32],
  },
  {
    name: 'grpcRingHash',
    make: nodes => grpcRingHash(nodes),
    features: { ...relative, peakToAverage: 1.4 },
    refused: [0, 2 ** 32],
  },
];

for (const { name, make, features } of kinds)
  placementConformance({ describe, it }, make, { name, features });

describe.each(kinds)('$name', ({ make, refused }) => {
  it('refuses weights that the system does not have', () => {
    for (const weight of [
      ...refused,
      0.5,
      -1,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      '1' as unknown as number,
    ]) {
      expect(() => make([{ id: 'a', weight }, { id: 'b' }]), String(weight)).toThrow(InvalidOptionError);
    }
  });

  it('never gives out a server that is down', () => {
    const nodes = Array.from({ length: 8 }, (_, i) => ({ id: `s${i}`, down: i % 3 === 0 }));
    const placement = make(nodes);
    const live = nodes.filter(({ down }) => !down).map(({ id }) => id);
    expect(placement.size).toBe(live.length);
    for (let i = 0; i < 500; i++) {
      expect(live).toContain(placement.get(`k${i}`));
      expect(placement.getN(`k${i}`, 8).sort()).toEqual(live);
    }
    expect(placement.shareOf?.('s0')).toBe(0);
    expect(placement.shareOf?.('s1')).toBeCloseTo(1 / live.length);
  });

  it('is empty when all servers are down', () => {
    const placement = make([1, 2, 3].map(i => ({ id: `s${i}`, down: true })));
    expect(placement.size).toBe(0);
    expect(() => placement.get('k')).toThrow(EmptyPlacementError);
    expect(placement.getN('k', 2)).toEqual([]);
    expect(placement.find('k', () => true)).toBeUndefined();
    expect(placement.shareOf?.('s1')).toBe(0);
  });

  it('takes ids of any characters, and nodes from any iterable', () => {
    const ids = ['a b', '\u0000', 'é'.repeat(30), '🛒:1', '-', ':', '{}', '#'];
    const placement = make(new Set(ids));
    expect(placement.getN('k', 99).sort()).toEqual([...ids].sort());
  });

  it('knows nodes with more than it needs, as endpoints are', () => {
    const endpoints = [
      { id: 'a', url: 'http://a' },
      { id: 'b', url: 'http://b' },
    ];
    expect(make(endpoints).size).toBe(2);
  });
});
