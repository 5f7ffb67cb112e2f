import { AshlarError, type CallOutcome, describe } from '@ashlar/core';

/** A load failed, and no stale value may be served; the `cause` is what the load threw. The next call loads again. */
export class LoadError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_POLICIES_LOAD';
  static override readonly retryable: boolean = true;
  readonly key: unknown;

  constructor(cache: string, key: unknown, cause: unknown) {
    super(`${cache} could not load ${describe(key)}: ${reasonOf(cause)}`, { cause });
    this.key = key;
  }
}

/**
 * A load waits for itself: it gets the key that it loads, or what waits for it. That call of `get` or `getMany` rejects; and
 * if the load lets it pass, so do those that wait for the load.
 */
export class LoadCycleError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_POLICIES_LOAD_CYCLE';
  readonly key: unknown;

  constructor(cache: string, key: unknown) {
    super(`${cache} cannot get ${describe(key)} here: its load waits for this call`);
    this.key = key;
  }
}

/** A load took longer than `timeoutMs`, and no stale value may be served. Its signal was aborted. */
export class LoadTimeoutError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_POLICIES_LOAD_TIMEOUT';
  static override readonly retryable: boolean = true;
  readonly key: unknown;
  readonly timeoutMs: number;

  constructor(cache: string, key: unknown, timeoutMs: number) {
    super(`${cache} gave up loading ${describe(key)} after ${timeoutMs} ms`);
    this.key = key;
    this.timeoutMs = timeoutMs;
  }
}

/** What a WriteError says could not be done. */
export type WriteOperation = 'set' | 'delete' | 'invalidateTags' | 'clear';

const done = { set: 'set', delete: 'deleted' } as const;
const verbs = {
  set: 'set',
  delete: 'delete',
  invalidateTags: 'invalidate the tags',
  clear: 'clear the tiers',
};

/**
 * A `set`, `delete`, `invalidateTags` or `clear` failed; the `cause` says how. 'Executed': the source has it, but the shared
 * tier was not updated, so other processes may serve the old value until an invalidation succeeds, which is retried.
 * 'Unknown': the source may have it.
 */
export class WriteError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_POLICIES_WRITE';
  readonly operation: WriteOperation;
  /** Of `invalidateTags` its tags, of `clear` undefined. */
  readonly key: unknown;
  readonly outcome: CallOutcome;

  constructor(cache: string, operation: WriteOperation, key: unknown, outcome: CallOutcome, cause: unknown) {
    const names = operation === 'invalidateTags' && Array.isArray(key) ? key.slice(0, 5) : [key];
    const name = operation === 'clear' ? '' : ` ${names.map(describe).join(', ')}`;
    const what =
      outcome === 'Executed' && (operation === 'set' || operation === 'delete')
        ? `${done[operation]}${name} in its source, but could not invalidate it in the shared tier`
        : `could not ${verbs[operation]}${name}`;
    super(`${cache} ${what}: ${reasonOf(cause)}`, { cause });
    this.operation = operation;
    this.key = key;
    this.outcome = outcome;
  }
}

/** The serializer refused a value; the `cause` says how. Nothing was sent. */
export class SerializeError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_POLICIES_SERIALIZE';
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly key: unknown;

  constructor(key: unknown, cause: unknown) {
    super(`the value of ${describe(key)} cannot be serialized: ${reasonOf(cause)}`, { cause });
    this.key = key;
  }
}

/** A serialized value is longer than the shared tier takes. Nothing was sent. */
export class ValueTooLongError extends SerializeError {
  static override readonly code: string = 'ASHLAR_CACHE_POLICIES_VALUE_TOO_LONG';
  readonly bytes: number;
  readonly maxBytes: number;

  constructor(key: unknown, bytes: number, maxBytes: number) {
    super(key, new RangeError(`it has ${bytes} bytes, and the tier takes at most ${maxBytes}`));
    this.bytes = bytes;
    this.maxBytes = maxBytes;
  }
}

/** A compressed value in a shared tier is damaged, or longer than `maxBytes`; the `cause` says which. */
export class DecompressError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_POLICIES_DECOMPRESS';
  readonly maxBytes: number;

  constructor(bytes: number, maxBytes: number, cause: unknown) {
    const what = `a compressed value of ${bytes} bytes`;
    const tooLong = (cause as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE';
    const why = tooLong
      ? `becomes longer than \`maxBytes\`, ${maxBytes}`
      : `cannot be read: ${reasonOf(cause)}`;
    super(`${what} ${why}`, { cause });
    this.maxBytes = maxBytes;
  }
}

/** `maxPending` writes are pending, and `whenFull` is 'reject'. Nothing was done. */
export class BacklogFullError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_POLICIES_BACKLOG_FULL';
  static override readonly retryable: boolean = true;
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly maxPending: number;

  constructor(cache: string, maxPending: number) {
    super(`${cache} has ${maxPending} writes pending, its limit`);
    this.maxPending = maxPending;
  }
}

/** A write that the source has not taken. */
export interface Unwritten<K, V> {
  readonly key: K;
  /** `undefined`: to be deleted. */
  readonly value: V | undefined;
}

/** The cache was closed before the source took these writes. Those in a journal are replayed at the next start. */
export class UnwrittenError<K = unknown, V = unknown> extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_POLICIES_UNWRITTEN';
  readonly unwritten: readonly Unwritten<K, V>[];
  readonly journaled: boolean;

  constructor(cache: string, unwritten: readonly Unwritten<K, V>[], journaled: boolean, cause: unknown) {
    const kept = journaled ? 'the journal keeps them' : 'they are in `unwritten`';
    super(`${cache} was closed with ${unwritten.length} writes that the source has not taken; ${kept}`, {
      cause,
    });
    this.unwritten = unwritten;
    this.journaled = journaled;
  }
}

/** The journal could not be read or written; the `cause` says how. */
export class JournalError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_POLICIES_JOURNAL';
  readonly outcome: CallOutcome;

  constructor(cache: string, what: string, cause: unknown) {
    super(`${cache} ${what} its journal: ${reasonOf(cause)}`, { cause });
    this.outcome = outcomeOf(cause);
  }
}

/** Another process has the journal, and did not release it in time. Nothing was done. */
export class JournalTakenError extends JournalError {
  static override readonly code: string = 'ASHLAR_CACHE_POLICIES_JOURNAL_TAKEN';
  static override readonly retryable: boolean = true;

  constructor(cache: string, prefix: string, waitMs: number) {
    const message = `another process has ${describe(prefix)}, also after ${waitMs} ms`;
    super(cache, 'could not open', Object.assign(new Error(message), { outcome: 'NotExecuted' }));
  }
}

/** The cache was closed, before or during the call. */
export class CacheClosedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_POLICIES_CLOSED';
  readonly outcome: CallOutcome;

  constructor(cache: string, outcome: CallOutcome = 'NotExecuted') {
    super(`${cache} is closed`);
    this.outcome = outcome;
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** The outcome that the error itself states; of any other error it is unknown. */
export function outcomeOf(error: unknown): CallOutcome {
  const { outcome } = (error ?? {}) as { outcome?: CallOutcome };
  return outcome === 'NotExecuted' || outcome === 'Executed' ? outcome : 'Unknown';
}
