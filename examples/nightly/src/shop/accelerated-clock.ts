import { systemClock } from '@ashlar/core';
import type { WallClock } from '@ashlar/cron-precompute';

/** How often the clock moves on, and the most that it does then, in real milliseconds. */
const stepMs = 5;
const longestStepMs = 6;

/**
 * Begins at that time, and goes so many times as fast as the machine's while the process runs. When that stands still, the clock
 * does too: a night that is over in two seconds would pass while a busy machine does something else.
 */
export function acceleratedClock(startMs: number, speed: number): WallClock & Disposable {
  let shown = 0;
  let readAt = systemClock.now();
  const now = () => {
    const at = systemClock.now();
    shown += Math.min(at - readAt, longestStepMs) * speed;
    readAt = at;
    return shown;
  };
  const moving = setInterval(now, stepMs);
  return {
    now,
    wallMs: () => startMs + now(),
    async sleep(ms, signal) {
      const until = now() + ms;
      for (let leftMs = ms; leftMs > 0; leftMs = until - now()) {
        await systemClock.sleep(leftMs / speed, signal);
      }
      signal?.throwIfAborted();
    },
    [Symbol.dispose]: () => clearInterval(moving),
  };
}
