import { scheduler } from 'node:timers/promises';

// Of its class, as `mock.timers` of Node's own runner replaces that of the object
const { wait } = Object.getPrototypeOf(scheduler) as typeof scheduler;

/** Time that passes also where a test runner has replaced the timers, even before this was loaded. */
export const realTime: {
  /** Milliseconds since the process began. */
  now(): number;
  /** Lets all that is ready run. */
  turn(): Promise<void>;
  sleep(ms: number): Promise<void>;
  /** Calls back once, unless the function that it returns is called before. */
  after(ms: number, ring: () => void): () => void;
} = {
  now: () => process.uptime() * 1_000,
  turn: () => scheduler.yield(),
  sleep: ms => wait.call(scheduler, ms),
  after(ms, ring) {
    const stop = new AbortController();
    wait.call(scheduler, ms, { signal: stop.signal }).then(ring, () => {}); // Stopped
    return () => stop.abort();
  },
};
