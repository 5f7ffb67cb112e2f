import type { Clock } from '@ashlar/core';

/** A timer of Node fires at once when asked to wait longer than this. */
const longestTimerMs = 2 ** 31 - 1;

/** The machine's monotonic clock, whose sleepers do not keep the process alive. */
export const backgroundClock: Clock = { now: () => performance.now(), sleep };

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const endsAt = performance.now() + ms;
    let timer: NodeJS.Timeout;
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const wait = (leftMs: number) => {
      timer = setTimeout(
        () => {
          const left = endsAt - performance.now();
          if (left > 0) return wait(left);
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
        Math.min(Math.ceil(leftMs), longestTimerMs),
      ).unref();
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    wait(ms);
  });
}
