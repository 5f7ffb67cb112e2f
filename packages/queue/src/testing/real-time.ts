// Kept, as a test may replace the timers of its process
const { setImmediate, setTimeout, clearTimeout } = globalThis;

/** Time that passes also where a test has replaced the timers. */
export const realTime: {
  readonly setImmediate: typeof globalThis.setImmediate;
  readonly setTimeout: typeof globalThis.setTimeout;
  readonly clearTimeout: typeof globalThis.clearTimeout;
  readonly now: () => number;
} = { setImmediate, setTimeout, clearTimeout, now: performance.now.bind(performance) };
