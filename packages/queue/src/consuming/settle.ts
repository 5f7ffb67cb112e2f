import { Backoff, type Clock, type Random } from '@ashlar/core';
import { DeliveryLostError } from '../errors.ts';

const pauses = { firstMs: 50, maxMs: 1_000 };

/**
 * Tries a settlement again while its backend does not answer and the lease may still hold; so an outage that is shorter
 * than a lease makes no duplicate.
 *
 * @throws DeliveryLostError, or the last error of the backend
 */
export async function settle(
  work: () => Promise<void>,
  { clock, random, untilMs }: { readonly clock: Clock; readonly random: Random; readonly untilMs: number },
): Promise<void> {
  const backoff = new Backoff(pauses, random);
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const isRetryable = (error as { readonly retryable?: unknown } | null)?.retryable === true;
      if (error instanceof DeliveryLostError || !isRetryable || clock.now() >= untilMs) throw error;
    }
    await clock.sleep(backoff.nextMs());
  }
}
