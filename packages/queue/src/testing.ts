export { TestTimeoutError } from './testing/errors.ts';
export type { Fault, FaultOptions, FaultyDriver } from './testing/faulty.ts';
export { faulty } from './testing/faulty.ts';
export type { SpiedMessage, SpiedState, WaitForOptions } from './testing/spy.ts';
export { QueueSpy } from './testing/spy.ts';
export type { RunAllOptions, RunOptions, TestQueueOptions } from './testing/test-queue.ts';
export { TestQueue } from './testing/test-queue.ts';
