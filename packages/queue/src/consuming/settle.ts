import { Backoff, type Clock, type Random } from '@ashlar/core';
import { DeliveryLostError } from '../errors.ts';

/** How long a settlement is tried. */
export interface Patience {
  readonly clock: Clock;
  readonly random: Random;
  readonly untilMs: number;
}

const pauses = { firstMs: 50, maxMs: 1_000 };

/**
 * Tries a settlement, and again while its backend does not answer and the lease may still hold; so an outage that is
 * shorter than a lease makes no duplicate.
 *
 * @throws DeliveryLostError, or the last error of the backend
 */
export async function settle(work: () => Promise<void>, patience: Patience): Promise<void> {
  try {
    await work();
  } catch (error) {
    await settleAgain(work, patience, error);
  }
}

/** The same after a first try that has failed. @throws as `settle` */
export async function settleAgain(
  work: () => Promise<void>,
  { clock, random, untilMs }: Patience,
  failure: unknown,
): Promise<void> {
  const backoff = new Backoff(pauses, random);
  for (let error = failure; ; ) {
    const isRetryable = (error as { readonly retryable?: unknown } | null)?.retryable === true;
    if (error instanceof DeliveryLostError || !isRetryable || clock.now() >= untilMs) throw error;
    await clock.sleep(backoff.nextMs());
    try {
      return await work();
    } catch (again) {
      error = again;
    }
  }
}
