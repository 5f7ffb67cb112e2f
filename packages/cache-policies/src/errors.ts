import { AshlarError, type CallOutcome, describe } from '@ashlar/core';

/** A load failed, and nothing could be served instead; the `cause` is what the load threw. */
export class LoadError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_LOAD';
  readonly key: unknown;

  constructor(cache: string, key: unknown, cause: unknown) {
    super(`${cache} could not load ${describe(key)}: ${reasonOf(cause)}`, { cause });
    this.key = key;
  }
}

/** A load took longer than `timeoutMs`; its signal was aborted. */
export class LoadTimeoutError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_LOAD_TIMEOUT';
  readonly key: unknown;
  readonly timeoutMs: number;

  constructor(cache: string, key: unknown, timeoutMs: number) {
    super(`${cache} gave up loading ${describe(key)} after ${timeoutMs} ms`);
    this.key = key;
    this.timeoutMs = timeoutMs;
  }
}

/**
 * A `set` or `delete` failed; the `cause` says how. 'Executed': the source has it, but the shared tier could not be told,
 * so other processes may serve the old value until it is told, which is tried until it succeeds. 'Unknown': the source
 * may have it.
 */
export class WriteError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_WRITE';
  readonly key: unknown;
  readonly outcome: CallOutcome;

  constructor(cache: string, key: unknown, outcome: CallOutcome, cause: unknown) {
    const what = outcome === 'Executed' ? 'wrote, but could not tell the shared tier of,' : 'could not write';
    super(`${cache} ${what} ${describe(key)}: ${reasonOf(cause)}`, { cause });
    this.key = key;
    this.outcome = outcome;
  }
}

/** The serializer refused a value; the `cause` says how. Nothing was sent. */
export class SerializeError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_SERIALIZE';
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly key: unknown;

  constructor(key: unknown, cause: unknown) {
    super(`the value of ${describe(key)} cannot be serialized: ${reasonOf(cause)}`, { cause });
    this.key = key;
  }
}

/** What a shared tier holds is compressed and damaged, or longer than `maxBytes`; the `cause` says which. */
export class DecompressError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_DECOMPRESS';
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

/** As many writes are pending as may be, and the option says not to wait. Nothing was done. */
export class BacklogFullError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_BACKLOG_FULL';
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly maxPending: number;

  constructor(cache: string, maxPending: number) {
    super(`${cache} has ${maxPending} writes pending, which is as many as may be`);
    this.maxPending = maxPending;
  }
}

/** A write that the source has not taken. */
export interface Unwritten<K, V> {
  readonly key: K;
  /** `undefined`: to be deleted. */
  readonly value: V | undefined;
}

/** The cache was closed before the source took these writes. Those that a journal holds are replayed at the next start. */
export class UnwrittenError<K = unknown, V = unknown> extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_UNWRITTEN';
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
  static override readonly code: string = 'ASHLAR_CACHE_JOURNAL';
  readonly outcome: CallOutcome;

  constructor(cache: string, what: string, cause: unknown) {
    super(`${cache} ${what} its journal: ${reasonOf(cause)}`, { cause });
    this.outcome = outcomeOf(cause);
  }
}

/** Another process has the journal, and did not give it up in time. Nothing was done. */
export class JournalTakenError extends JournalError {
  static override readonly code: string = 'ASHLAR_CACHE_JOURNAL_TAKEN';

  constructor(cache: string, prefix: string, waitMs: number) {
    const message = `another process has ${describe(prefix)}, also after ${waitMs} ms`;
    super(cache, 'could not open', Object.assign(new Error(message), { outcome: 'NotExecuted' }));
  }
}

/** The cache was closed, before or during the call. */
export class CacheClosedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_CLOSED';
  readonly outcome: CallOutcome;

  constructor(cache: string, outcome: CallOutcome = 'NotExecuted') {
    super(`${cache} is closed`);
    this.outcome = outcome;
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** What the failed call itself says of it; of a foreign error, nothing is known. */
export function outcomeOf(error: unknown): CallOutcome {
  const { outcome } = (error ?? {}) as { outcome?: CallOutcome };
  return outcome === 'NotExecuted' || outcome === 'Executed' ? outcome : 'Unknown';
}
