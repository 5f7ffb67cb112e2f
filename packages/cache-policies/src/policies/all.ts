// Every eviction policy, each once: a new one joins here, and the command line, the tests and the examples have it.
export { arc } from './arc.ts';
export { type AutoMap, auto } from './auto/auto.ts';
export { clock } from './clock.ts';
export { fifo } from './fifo.ts';
export { type LfuOptions, lfu } from './lfu.ts';
export { lirs } from './lirs.ts';
export { lru } from './lru.ts';
export { type S3FifoOptions, s3fifo } from './s3fifo.ts';
export { sieve } from './sieve.ts';
export { twoQueue } from './two-queue.ts';
export { wTinyLfu } from './w-tiny-lfu/w-tiny-lfu.ts';
