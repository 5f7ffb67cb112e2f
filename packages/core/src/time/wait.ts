import { checkMs, isSignal, refused } from '../options/refused.ts';

/** A timer of Node or a browser fires at once when asked to wait longer than this. */
const longestTimerMs = 2 ** 31 - 1;

/**
 * Resolves after `ms` milliseconds, no sooner; at once when that is negative, never when it is `Infinity`. Rejects with
 * the signal's reason as soon as it aborts, and with InvalidOptionError for what is no number or no signal.
 */
export function sleep(ms: number, signal?: AbortSignal, background = false): Promise<void> {
  return new Promise((resolve, reject) => {
    checkMs(ms, 'ms');
    if (signal !== undefined && !isSignal(signal)) throw refused('signal', 'an AbortSignal', signal);
    if (signal?.aborted) return reject(signal.reason);
    const endsAt = performance.now() + ms;
    let timer: ReturnType<typeof setTimeout>;
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const wait = (leftMs: number) => {
      timer = setTimeout(wake, Math.min(Math.ceil(leftMs), longestTimerMs));
      if (background) (timer as { unref?(): void }).unref?.();
    };
    const wake = () => {
      const leftMs = endsAt - performance.now();
      if (leftMs > 0) return wait(leftMs);
      signal?.removeEventListener('abort', onAbort);
      resolve();
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    wait(ms);
  });
}

/**
 * Settles as `work` does, or rejects with the signal's reason when that comes first. The work itself is not
 * stopped; what it settles to after an abort is dropped, also an error.
 */
export function abortable<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
