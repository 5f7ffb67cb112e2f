export { DuplicateNodeError, EmptyPlacementError, UnknownNodeError } from './errors.ts';
export type { Key, Placement, RingNode } from './placement.ts';
