/** A timer of Node or a browser fires at once when asked to wait longer than this. */
const longestTimerMs = 2 ** 31 - 1;

/** Resolves after `ms` milliseconds, of any length. Rejects with the signal's reason as soon as it aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    let remainingMs = ms;
    let timer: ReturnType<typeof setTimeout>;
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const wait = () => {
      const stepMs = Math.min(remainingMs, longestTimerMs);
      remainingMs -= stepMs;
      timer = setTimeout(remainingMs > 0 ? wait : finish, stepMs);
    };
    const finish = () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    wait();
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
