import { durationMs, readOptions, refused, text } from '@ashlar/core';
import { VersionConflictError } from '../errors.ts';
import { toJson } from '../json.ts';
import { anyStore, checkKey, maxTtlMs, ttlMs } from '../limits.ts';
import type { Store } from '../store.ts';
import { Lease } from './lease.ts';
import { type AcquireOptions, acquireRules } from './lease-options.ts';
import { type LeasedWork, leasedWork, released } from './with-lease.ts';

export interface OncePerOptions extends AcquireOptions {
  /** Milliseconds, by the store's clock, from the end of one run to the earliest start of the next. Or give `key`. */
  readonly periodMs?: number;
  /** Names the period, as `2026-11-28` names a day: the work is done once for each key. Or give `periodMs`. */
  readonly key?: string;
  /** With `key`: milliseconds for which the store remembers that the work was done. Default: 604 800 000, a week. */
  readonly keepMs?: number;
}

/** `ran`: whether this call did the work; false when it was done before, here or elsewhere. */
export type OnceResult<T> = { readonly ran: true; readonly result: T } | { readonly ran: false };

const weekMs = 604_800_000;
const rules = {
  ...acquireRules,
  periodMs: durationMs(undefined, { above: 0, max: maxTtlMs }),
  key: text(),
  keepMs: ttlMs,
};

/**
 * Does the work once in a period, however many processes call it: under the lease `name`, unless the store has a marker
 * that it is done. Sets the marker after the work has succeeded, and before it releases the lease. A caller waits while
 * another works, and takes over when that one fails or dies.
 *
 * The marker is the value of the key `once:"NAME"`, or `once:"NAME":KEY`, the name as JSON: so no two pairs of name and key
 * have one, whatever is in them. When the marker cannot be written the call rejects,
 * and the work is done again. So the work is done at least once; it is done twice only where a lease is lost and the work
 * goes on: present the lease to its sinks, stop when `lease.signal` aborts.
 *
 * Rejects as `withLease` does; then the work does not count as done.
 *
 * @throws InvalidOptionError, InvalidKeyError
 */
export async function oncePer<T>(
  store: Store,
  name: string,
  options: OncePerOptions,
  work: LeasedWork<T>,
): Promise<OnceResult<T>> {
  const { periodMs, key, keepMs } = readOptions('oncePer', options, rules);
  if ((periodMs === undefined) === (key === undefined)) {
    const option = periodMs === undefined ? 'periodMs' : 'key';
    const advice = 'write `periodMs: 3_600_000` for once an hour, or `key: today` for once a day';
    throw refused(option, 'one of `periodMs` and `key`', periodMs === undefined ? undefined : key, advice);
  }
  if (keepMs !== undefined && key === undefined) throw refused('keepMs', 'absent without `key`', keepMs);
  leasedWork(work, 'work');
  anyStore(store, 'store');
  checkKey(name, 'name');
  const own = `once:${JSON.stringify(name)}`;
  const marker = checkKey(key === undefined ? own : `${own}:${key}`, 'name');
  const isDone = async () => (await store.get(marker)) !== undefined;
  if (await isDone()) return { ran: false };
  const { periodMs: _period, key: _key, keepMs: _keep, ...leaseOptions } = options;
  const lease = await Lease.acquire(store, name, leaseOptions);
  return released(lease, async () => {
    if (await isDone()) return { ran: false };
    const result = await work(lease);
    lease.assertHeld();
    await mark(store, marker, periodMs ?? keepMs ?? weekMs, lease);
    return { ran: true, result };
  });
}

async function mark(store: Store, marker: string, ttlMs: number, { token, holder }: Lease): Promise<void> {
  try {
    await store.set(marker, toJson({ token: String(token), holder }), { ttlMs, ifVersion: 'absent' });
  } catch (error) {
    // Another has done it meanwhile, so this lease was lost without a chance to notice it
    if (!(error instanceof VersionConflictError)) throw error;
  }
}
