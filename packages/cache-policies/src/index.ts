export type { Bound, BoundedMap, Eviction, EvictionReason } from './bounded-map.ts';
