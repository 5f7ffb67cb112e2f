import { checkNames, functionOf, type Rule, required } from '@ashlar/core';
import type { Store } from '../store.ts';
import { Lease } from './lease.ts';
import { type AcquireOptions, acquireRules } from './lease-options.ts';

/** The work of `withLease` and `oncePer`: stop when `lease.signal` aborts, and present the lease to sinks. */
export type LeasedWork<T> = (lease: Lease) => Promise<T> | T;

export const leasedWork: Rule<LeasedWork<unknown>> = required(
  functionOf<LeasedWork<unknown>>('write `async lease => …`'),
  'write `async lease => …`',
);

/**
 * Acquires the lease, works, and releases it, whatever the work does. One at a time: of many callers, the next works
 * when the one before has finished, or has lost its lease.
 *
 * Resolves with the result of the work. Rejects with LeaseLostError when the lease was lost before the work had
 * finished, with the error of the work, or as `Lease.acquire` does. It waits for the work in each case. A release that the
 * store does not confirm leaves the name to its time.
 *
 * @throws InvalidOptionError, InvalidKeyError
 */
export async function withLease<T>(
  store: Store,
  name: string,
  options: AcquireOptions,
  work: LeasedWork<T>,
): Promise<T> {
  checkNames('withLease', options, acquireRules);
  leasedWork(work, 'work');
  const lease = await Lease.acquire(store, name, options);
  return released(lease, async () => {
    const result = await work(lease);
    lease.assertHeld();
    return result;
  });
}

/** Settles as the work does, after a release that hides nothing: unconfirmed, it leaves the name to its time. */
export async function released<T>(lease: Lease, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    await lease.release().catch(() => {});
  }
}
