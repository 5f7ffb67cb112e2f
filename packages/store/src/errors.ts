import { AshlarError, type CallOutcome, describe } from '@ashlar/core';
import type { Version } from './store.ts';

/** The backend was not reached, refused, or disconnected before it answered; the `cause` says how. */
export class StoreUnavailableError extends AshlarError {
  static override readonly code: string = 'ASHLAR_STORE_UNAVAILABLE';
  static override readonly retryable: boolean = true;
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

  constructor(operation: string, timeoutMs: number, outcome: CallOutcome = 'Unknown') {
    super(`${operation} was not answered within ${timeoutMs} ms`, outcome);
    this.timeoutMs = timeoutMs;
  }
}

/** The store was closed before or during the call, here or in the thread that owns it. */
export class StoreClosedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_STORE_CLOSED';
  readonly outcome: CallOutcome;

  constructor(store: string, outcome: CallOutcome = 'NotExecuted', detail?: string) {
    super(`${store} is closed${detail === undefined ? '' : `: ${detail}`}`);
    this.outcome = outcome;
  }
}

/** `set` found another version than `ifVersion`; nothing was written. */
export class VersionConflictError extends AshlarError {
  static override readonly code: string = 'ASHLAR_STORE_VERSION_CONFLICT';
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly key: string;
  readonly expected: Version | 'absent';
  readonly found: Version | 'absent';

  constructor(key: string, expected: Version | 'absent', found: Version | 'absent') {
    super(`${describe(key)} has version ${describe(found)}, expected ${describe(expected)}`);
    this.key = key;
    this.expected = expected;
    this.found = found;
  }
}

/** A key, or the name or holder of a claim, that no backend accepts. Nothing was sent. */
export class InvalidKeyError extends AshlarError {
  static override readonly code: string = 'ASHLAR_STORE_INVALID_KEY';
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly key: unknown;

  constructor(key: unknown, message: string) {
    super(message);
    this.key = key;
  }
}

/** A value over `maxValueBytes`. Nothing was sent. */
export class ValueTooLargeError extends AshlarError {
  static override readonly code: string = 'ASHLAR_STORE_VALUE_TOO_LARGE';
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

/** A stored value cannot be read: it is not JSON, or no store wrote it. */
export class InvalidValueError extends AshlarError {
  static override readonly code: string = 'ASHLAR_STORE_INVALID_VALUE';
  readonly key: string;

  constructor(key: string, message: string, options?: ErrorOptions) {
    super(`the value of ${describe(key)} ${message}`, options);
    this.key = key;
  }
}

/** The lease has ended and protects nothing anymore. */
export class LeaseLostError extends AshlarError {
  static override readonly code: string = 'ASHLAR_STORE_LEASE_LOST';
  readonly lease: string;
  readonly token: bigint;
  /** `expired`: no renewal was confirmed in time. `taken`: the claim has ended in the store. `released`: by its holder. */
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
  taken: 'its claim has ended in the store',
  released: 'it was released',
};

/**
 * The backend's configuration would break what a store promises. Nothing was executed. Retryable, because an operator
 * mends it, not the caller.
 */
export class UnsafeBackendError extends AshlarError {
  static override readonly code: string = 'ASHLAR_STORE_UNSAFE_BACKEND';
  static override readonly retryable: boolean = true;
  readonly outcome: CallOutcome = 'NotExecuted';
}

/** Whether a later attempt of the same call may succeed, for an error of any `Store`. */
export function isRetryable(error: unknown): boolean {
  return (error as { readonly retryable?: unknown } | null | undefined)?.retryable === true;
}
