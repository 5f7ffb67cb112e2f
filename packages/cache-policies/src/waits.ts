import { onAbort, sleep } from '@ashlar/core';

/**
 * Settles as `work` does, or rejects with the signal's reason when that comes first; then calls `left`. All waits on a signal
 * share one listener, which goes with the last of them.
 */
export function untilAbort<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  left?: (reason: unknown) => void,
): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    let unlink: (() => void) | undefined;
    unlink = onAbort(signal, reason => {
      unlink?.();
      reject(reason);
      left?.(reason);
    });
    work.then(resolve, reject).finally(unlink);
  });
}

/** Runs the work with a signal that aborts with the first of these two, and leaves nothing on them. */
export async function withEither<T>(
  own: AbortSignal | undefined,
  ending: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (own === undefined) return work(ending);
  const controller = new AbortController();
  const abort = (reason: unknown) => controller.abort(reason);
  const unlinks = [onAbort(own, abort), onAbort(ending, abort)];
  try {
    return await work(controller.signal);
  } finally {
    for (const unlink of unlinks) unlink();
  }
}

/** Settles as the work does, and keeps the process alive until then: for callers that wait for what runs in the background. */
export function keepingAlive<T>(work: Promise<T>): Promise<T> {
  const over = new AbortController();
  sleep(Number.POSITIVE_INFINITY, over.signal).catch(() => {});
  return work.finally(() => over.abort());
}
