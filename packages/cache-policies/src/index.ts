export type { Bound, BoundedMap, Eviction, EvictionReason } from './bounded-map.ts';
export { fifo } from './policies/fifo.ts';
export { sieve } from './policies/sieve.ts';
