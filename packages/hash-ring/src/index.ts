export { DuplicateNodeError, EmptyPlacementError, UnknownNodeError } from './errors.ts';
export { murmur3 } from './hash/murmur3.ts';
export { HashRing, type HashRingOptions } from './hash-ring.ts';
export type { Movement } from './movement.ts';
export type { Key, Placement, RingNode } from './placement.ts';
