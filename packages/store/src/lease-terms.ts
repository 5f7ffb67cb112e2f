import {
  backgroundClock,
  type Clock,
  InvalidOptionError,
  knownOptions,
  numberOption,
  type Random,
  systemClock,
} from '@ashlar/core';
import { checkKey, checkSignal, checkToken, checkTtl } from './limits.ts';
import type { Store } from './store.ts';

export interface LeaseOptions {
  /** How long the store keeps the name for a holder who is not heard of. Several times the store's `timeoutMs`. */
  readonly ttlMs: number;
  /** Only a token greater than this one will do, because a sink refused it: `StaleTokenError.seen.token`. */
  readonly above?: bigint;
  /** What the lease measures itself by; monotonic. The machine's by default. */
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface AcquireOptions extends LeaseOptions {
  /** Ends the waiting. */
  readonly signal?: AbortSignal;
  /** How often the store is asked while another holds the name, on average. A tenth of `ttlMs`, 10 to 1 000, by default. */
  readonly retryMs?: number;
}

/** The checked options of one lease, with its holder. */
export interface Terms {
  readonly store: Store;
  readonly name: string;
  readonly holder: string;
  readonly ttlMs: number;
  /** How much earlier than the store's time the lease ends here: for clocks of unequal speed and for late timers. */
  readonly marginMs: number;
  readonly retryMs: number;
  readonly above: bigint | undefined;
  readonly signal: AbortSignal | undefined;
  readonly random: Random;
  /** Waiting for a lease keeps the process alive, holding one does not. */
  readonly waiting: Clock;
  readonly holding: Clock;
}

/** @throws InvalidOptionError, InvalidKeyError */
export function termsOf(store: Store, name: string, options: AcquireOptions): Terms {
  knownOptions('a lease', options, ['ttlMs', 'above', 'clock', 'random', 'signal', 'retryMs']);
  const { above, clock, random = Math.random, signal, retryMs } = options;
  if (typeof store?.claim !== 'function') throw new InvalidOptionError('store', '`store` must be a Store');
  const ttlMs = checkTtl(options.ttlMs);
  return {
    store,
    name: checkKey(name, 'name'),
    holder: newHolder(),
    ttlMs,
    marginMs: Math.min(ttlMs / 4, Math.max(10, ttlMs / 20)),
    retryMs:
      retryMs === undefined
        ? Math.min(1_000, Math.max(10, ttlMs / 10))
        : numberOption('retryMs', retryMs, { above: 0 }),
    above: above === undefined ? undefined : checkToken('above', above),
    signal: signal === undefined ? undefined : checkSignal(signal),
    random,
    waiting: clock ?? systemClock,
    holding: clock ?? backgroundClock,
  };
}

/** Unlike any other, and telling for people where it is. */
function newHolder(): string {
  // not imported, so that what bundles for a browser a package with leases in it needs no shim
  const { hostname } = process.getBuiltinModule('node:os');
  return `${hostname()}/${process.pid}/${crypto.randomUUID()}`;
}
