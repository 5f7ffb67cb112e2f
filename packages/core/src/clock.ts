import { sleep } from './wait.ts';

/** Time that can be replaced: `now` is monotonic, in milliseconds; `sleep` rejects when the signal aborts. */
export interface Clock {
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

// Kept, as the global is an accessor in Node, which makes `now` a fifth slower; when first needed, as it loads `perf_hooks`
let performance: typeof globalThis.performance | undefined;

function now(): number {
  performance ??= globalThis.performance;
  return performance.now();
}

/** The machine's monotonic clock. */
export const systemClock: Clock = { now, sleep: (ms, signal) => sleep(ms, signal) };

/** The same, with sleepers that do not keep the process alive. */
export const backgroundClock: Clock = { now, sleep: (ms, signal) => sleep(ms, signal, true) };
