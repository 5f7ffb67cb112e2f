import { onAbort } from '@ashlar/core';

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
