import { sleep } from './wait.ts';

/** Time that can be replaced: `now` is monotonic, in milliseconds; `sleep` rejects when the signal aborts. */
export interface Clock {
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

// Fake timers replace both globals. This one costs nothing to look at; `performance` is an accessor in Node, which makes `now` a fifth
// slower, so that it is kept; and only when first needed, as it loads `perf_hooks`
const timer = globalThis.setTimeout;
let kept: typeof globalThis.performance | undefined;

function now(): number {
  return kept === undefined || globalThis.setTimeout !== timer ? nowOfGlobal() : kept.now();
}

function nowOfGlobal(): number {
  const { performance } = globalThis;
  const isReal = Object.prototype.toString.call(performance) === '[object Performance]';
  if (isReal && globalThis.setTimeout === timer) kept = performance;
  return performance.now();
}

/** A sleep that wakes later than this was held up. */
const heldUpMs = 20;
/** Time enough to read what arrived in between. */
const graceMs = 10;

/**
 * As `clock.sleep`, for deadlines. When the event loop stood still meanwhile, it resolves a moment later: timers come
 * before I/O, and an answer that arrived in time would count as late.
 */
export async function timeUp(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  const endsAt = clock.now() + ms;
  await clock.sleep(ms, signal);
  if (clock.now() - endsAt > heldUpMs) await clock.sleep(graceMs, signal);
}

/** The machine's monotonic clock. */
export const systemClock: Clock = { now, sleep: (ms, signal) => sleep(ms, signal) };

/** The same, with sleepers that do not keep the process alive. */
export const backgroundClock: Clock = { now, sleep: (ms, signal) => sleep(ms, signal, true) };
