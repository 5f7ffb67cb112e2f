import type { PlacementFeatures } from '../src/conformance.ts';
import {
  HashRing,
  JumpHash,
  MaglevTable,
  MementoHash,
  type Placement,
  RendezvousHash,
  type RingNode,
} from '../src/index.ts';

export interface PlacementKind {
  readonly name: string;
  readonly make: (nodes: Iterable<string | RingNode>) => Placement;
  readonly features: PlacementFeatures;
}

const even = { weights: true, minimalMovement: 'any', orderFree: true, zones: true } as const;
const bucketed = { weights: false, minimalMovement: 'last', orderFree: false, zones: true } as const;

/** Every placement of this package: a new one is added here. */
export const placements: readonly PlacementKind[] = [
  {
    name: 'HashRing',
    make: nodes => new HashRing(nodes),
    features: { ...even, peakToAverage: 1.35 },
  },
  {
    name: 'MaglevTable',
    make: nodes => new MaglevTable(nodes),
    features: { ...even, minimalMovement: 'none', peakToAverage: 1.05 },
  },
  {
    name: 'RendezvousHash',
    make: nodes => new RendezvousHash(nodes),
    features: { ...even, peakToAverage: 1.05 },
  },
  {
    name: 'JumpHash',
    make: nodes => new JumpHash(nodes),
    features: { ...bucketed, peakToAverage: 1.05 },
  },
  {
    name: 'MementoHash',
    make: nodes => new MementoHash(nodes),
    features: { ...bucketed, peakToAverage: 1.05 },
  },
];
