import { abortable, type CallOutcome } from '@ashlar/core';

/** One operation in flight: what is known of it, and the signal that ends its waits. */
export class Call {
  readonly operation: string;
  readonly #onLoss: CallOutcome;
  #isSent = false;
  #signal: AbortSignal | undefined;

  /** @param onLoss what is known of the operation when it was sent and its answer does not come */
  constructor(operation: string, onLoss: CallOutcome) {
    this.operation = operation;
    this.#onLoss = onLoss;
  }

  /** What is known of it without an answer. */
  get outcome(): CallOutcome {
    return this.#isSent ? this.#onLoss : 'NotExecuted';
  }

  /** @param signal aborts at its deadline, or when the store is closed */
  begin(signal: AbortSignal): void {
    this.#signal = signal;
  }

  /** Whether its caller has got an error already. */
  get isOver(): boolean {
    return this.#signal?.aborted ?? false;
  }

  /** Call it just before sending. @throws when the call is over, whose error says that nothing was sent */
  sent(): void {
    this.#signal?.throwIfAborted();
    this.#isSent = true;
  }

  /** Settles as `work` does, or rejects when the call is over; the work then goes on unheeded. */
  within<T>(work: Promise<T>): Promise<T> {
    return abortable(work, this.#signal);
  }
}

/** The connection itself, the server's end, its files, its own faults; and completion unknown. */
const uncertain = /^(08|57P|58|XX|25P03|40003)/;

/**
 * Whether the error says that a single statement did not take effect. An error that the server reports undoes the
 * statement, unless it comes with the end of the session: that may be between the commit and the reply.
 */
export function wasUndone(error: unknown): boolean {
  const state = stateOf(error);
  return state !== undefined && !uncertain.test(state);
}

/** Undone because of other transactions, and worth another attempt: a serialization failure, a deadlock. */
export function isPassing(error: unknown): boolean {
  const state = stateOf(error);
  return state === '40001' || state === '40P01';
}

/** The user may not do it, or nobody may write at the time: insufficient privilege, a read-only transaction. */
export function isForbidden(error: unknown): boolean {
  const state = stateOf(error);
  return state === '42501' || state === '25006';
}

/** A prepared statement exists unexpectedly, or does not exist: sessions do not stay on their connections. */
export function isMixedUp(error: unknown): boolean {
  const state = stateOf(error);
  return state === '42P05' || state === '26000';
}

/** The SQLSTATE of an error that the server reports. Other errors may have a code too, but no severity. */
function stateOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, severity } = error as { code?: unknown; severity?: unknown };
  return typeof code === 'string' && typeof severity === 'string' ? code : undefined;
}
