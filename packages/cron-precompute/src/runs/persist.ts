import { Backoff, type Clock } from '@ashlar/core';
import { isRetryable } from '../errors.ts';

const again = { firstMs: 50, maxMs: 2_000 };

/**
 * Tries until it succeeds, or fails with what no later attempt would mend, or the signal aborts: then rejects with the last error.
 * What it tries must be safe to repeat when an answer was lost.
 */
export async function persist<T>(clock: Clock, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  const backoff = new Backoff(again);
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!isRetryable(error) || signal.aborted) throw error;
      await clock.sleep(backoff.nextMs(), signal).catch(() => {});
      if (signal.aborted) throw error;
    }
  }
}
