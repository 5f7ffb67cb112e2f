import { AshlarError, type CallOutcome, describe } from '@ashlar/core';
import type { FencingToken } from './fencing.ts';
import type { Version } from './store.ts';

/** The backend could not be asked, refused, or went away before it answered; the `cause` says how. */
export class StoreUnavailableError extends AshlarError {
  static override readonly code: string = 'ASHLAR_STORE_UNAVAILABLE';
  readonly outcome: CallOutcome;

  constructor(message: string, outcome: CallOutcome, options?: ErrorOptions) {
    super(message, options);
    this.outcome = outcome;
  }
}

/** The backend did not answer in time. */
export class StoreTimeoutError extends StoreUnavailableError {
  static override readonly code: string = 'ASHLAR_STORE_TIMEOUT';
  readonly timeoutMs: number;

  constructor(operation: string, timeoutMs: number, outcome: CallOutcome) {
    super(`${operation} was not answered within ${timeoutMs} ms`, outcome);
    this.timeoutMs = timeoutMs;
  }
}

/** The store object was closed, before or during the call. */
export class StoreClosedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_STORE_CLOSED';
  readonly outcome: CallOutcome;

  constructor(store: string, outcome: CallOutcome = 'NotExecuted') {
    super(`${store} is closed`);
    this.outcome = outcome;
  }
}

/** `set` found another version than the one it was to replace; nothing was written. */
export class VersionConflictError extends AshlarError {
  static override readonly code: string = 'ASHLAR_VERSION_CONFLICT';
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly key: string;
  readonly expected: Version | 'absent';
  readonly found: Version | 'absent';

  constructor(key: string, expected: Version | 'absent', found: Version | 'absent') {
    super(`${describe(key)} has not the expected version ${describe(expected)} but ${describe(found)}`);
    this.key = key;
    this.expected = expected;
    this.found = found;
  }
}

/** A key, or a claim's name or holder, that no backend can take. */
export class InvalidKeyError extends AshlarError {
  static override readonly code: string = 'ASHLAR_INVALID_KEY';
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly key: unknown;

  constructor(key: unknown, message: string) {
    super(message);
    this.key = key;
  }
}

/** A value over the limit; nothing was sent. */
export class ValueTooLargeError extends AshlarError {
  static override readonly code: string = 'ASHLAR_VALUE_TOO_LARGE';
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly key: string;
  readonly bytes: number;
  readonly maxBytes: number;

  constructor(key: string, bytes: number, maxBytes: number) {
    super(`the value of ${describe(key)} has ${bytes} bytes; at most ${maxBytes} are stored`);
    this.key = key;
    this.bytes = bytes;
    this.maxBytes = maxBytes;
  }
}

/** A stored value is not what was to be read: not JSON, or not written by a store. */
export class InvalidValueError extends AshlarError {
  static override readonly code: string = 'ASHLAR_INVALID_VALUE';
  readonly key: string;

  constructor(key: string, message: string, options?: ErrorOptions) {
    super(`the value of ${describe(key)} ${message}`, options);
    this.key = key;
  }
}

/** The lease no longer protects anything. */
export class LeaseLostError extends AshlarError {
  static override readonly code: string = 'ASHLAR_LEASE_LOST';
  readonly lease: string;
  readonly token: bigint;
  /** `expired`: no renewal was confirmed in time; `taken`: the store says that the claim is gone or another's. */
  readonly reason: 'expired' | 'taken' | 'released';

  constructor(lease: string, token: bigint, reason: LeaseLostError['reason']) {
    super(`lease ${describe(lease)} with token ${token} is lost: ${reasons[reason]}`);
    this.lease = lease;
    this.token = token;
    this.reason = reason;
  }
}

const reasons = {
  expired: 'no renewal was confirmed in time',
  taken: 'the store says that the claim has ended',
  released: 'it was released',
};

/** A sink refused a token: it has seen a newer one, or this one from another holder. */
export class StaleTokenError extends AshlarError {
  static override readonly code: string = 'ASHLAR_STALE_TOKEN';
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly presented: FencingToken;
  /** What the sink had seen. A holder who still has its lease acquires it again, `above` this token. */
  readonly seen: FencingToken;

  constructor(resource: string, presented: FencingToken, seen: FencingToken) {
    super(
      `${resource} refused token ${presented.token} of ${describe(presented.holder)}: ` +
        `it has seen ${seen.token} of ${describe(seen.holder)}`,
    );
    this.presented = presented;
    this.seen = seen;
  }
}

/** The backend is set up so that it would break what a store promises. Nothing was done. */
export class UnsafeBackendError extends AshlarError {
  static override readonly code: string = 'ASHLAR_UNSAFE_BACKEND';
  readonly outcome: CallOutcome = 'NotExecuted';
}
