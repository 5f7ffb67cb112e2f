import {
  backgroundClock,
  type Checked,
  type Clock,
  durationMs,
  objectWith,
  type Random,
  type RulesFor,
  random,
  readOptions,
  signal,
  systemClock,
} from '@ashlar/core';
import { anyStore, checkKey, requiredTtlMs, token } from '../limits.ts';
import type { Store } from '../store.ts';

export interface LeaseOptions {
  /** Milliseconds for which the store keeps the name without a renewal. Several times the store's `timeoutMs`. */
  readonly ttlMs: number;
  /** Take only a token greater than this one: the `seen.token` of a StaleTokenError. Default: any token. */
  readonly above?: bigint;
  /** Measures the lease; monotonic. Default: the machine's. */
  readonly clock?: Clock;
  /** Spreads renewals and attempts. Default: `Math.random`. */
  readonly random?: Random;
}

export interface AcquireOptions extends LeaseOptions {
  /** Ends the wait. Default: none. */
  readonly signal?: AbortSignal;
  /** Milliseconds between two attempts while another holds the name, on average. Default: `ttlMs / 10`, 10 to 1 000. */
  readonly retryMs?: number;
}

const leaseRules = {
  ttlMs: requiredTtlMs,
  above: token,
  clock: objectWith<Clock>(['now', 'sleep']),
  random: random(),
} satisfies RulesFor<LeaseOptions>;

const checkedRules = {
  ...leaseRules,
  signal: signal(),
  retryMs: durationMs(undefined, { above: 0 }),
} satisfies RulesFor<AcquireOptions>;

/** For functions whose options include these. */
export const acquireRules: RulesFor<AcquireOptions> = checkedRules;

/** What one lease goes by: its checked options, and its holder. */
export interface Terms {
  readonly store: Store;
  readonly name: string;
  readonly holder: string;
  readonly ttlMs: number;
  /** How much earlier than in the store the lease ends here: for clocks of unequal speed and for late timers. */
  readonly marginMs: number;
  readonly retryMs: number;
  readonly above: bigint | undefined;
  readonly signal: AbortSignal | undefined;
  readonly random: Random;
  /** The wait for a lease keeps the process alive, a held lease does not. */
  readonly waiting: Clock;
  readonly holding: Clock;
}

/** @throws InvalidOptionError, InvalidKeyError */
export function acquireTerms(store: Store, name: string, options: AcquireOptions): Terms {
  return termsOf(store, name, readOptions('Lease.acquire', options, checkedRules));
}

/** @throws InvalidOptionError, InvalidKeyError */
export function tryAcquireTerms(store: Store, name: string, options: LeaseOptions): Terms {
  const checked = readOptions('Lease.tryAcquire', options, leaseRules);
  return termsOf(store, name, { ...checked, signal: undefined, retryMs: undefined });
}

function termsOf(store: Store, name: string, options: Checked<typeof checkedRules>): Terms {
  const { ttlMs, above, clock, random, signal, retryMs } = options;
  return {
    store: anyStore(store, 'store'),
    name: checkKey(name, 'name'),
    holder: newHolder(),
    ttlMs,
    marginMs: Math.min(ttlMs / 4, Math.max(10, ttlMs / 20)),
    retryMs: retryMs ?? Math.min(1_000, Math.max(10, ttlMs / 10)),
    above,
    signal,
    random,
    waiting: clock ?? systemClock,
    holding: clock ?? backgroundClock,
  };
}

/** Unique, and for people says where it runs. */
function newHolder(): string {
  // Not imported, so that a package with leases in it runs in a browser
  const { process } = globalThis as { process?: NodeJS.Process };
  const os = process?.getBuiltinModule?.('node:os');
  const place = os === undefined ? 'browser' : `${os.hostname()}/${process?.pid}`;
  return `${place}/${crypto.randomUUID()}`;
}
