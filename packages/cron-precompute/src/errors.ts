import { AshlarError, type CallOutcome, describe } from '@ashlar/core';

/** A run took longer than `timeoutMs`. Its record says so before another run may start. */
export class RunTimeoutError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CRON_PRECOMPUTE_RUN_TIMEOUT';
  readonly timeoutMs: number;

  constructor(job: string, timeoutMs: number) {
    super(`a run of ${describe(job)} took longer than ${timeoutMs} ms`);
    this.timeoutMs = timeoutMs;
  }
}

/** A later tick took the place of the run: `overlap: 'replace'`. */
export class RunReplacedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CRON_PRECOMPUTE_RUN_REPLACED';

  constructor(job: string) {
    super(`a run of ${describe(job)} was replaced by a later one`);
  }
}

/** The window of the schedule has ended. The run goes on from its checkpoint when it begins again. */
export class WindowClosedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CRON_PRECOMPUTE_WINDOW_CLOSED';

  constructor(job: string) {
    super(`the window of ${describe(job)} has ended`);
  }
}

/** The run has ended, or another process has taken it over. Nothing was written. */
export class RunFencedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CRON_PRECOMPUTE_RUN_FENCED';
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly token: bigint;

  constructor(job: string, token: bigint, options?: ErrorOptions) {
    super(`the run of ${describe(job)} with token ${token} has ended, or another has taken it over`, options);
    this.token = token;
  }
}

/** There is no such run, or it is remembered no longer. */
export class RunNotFoundError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CRON_PRECOMPUTE_RUN_NOT_FOUND';

  constructor(job: string, scheduledAt: Date) {
    super(`${describe(job)} knows of no run of ${scheduledAt.toISOString()}`);
  }
}

/** The job was closed here. Another process goes on with its run. */
export class JobClosedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CRON_PRECOMPUTE_CLOSED';

  constructor(job: string) {
    super(`${describe(job)} is closed`);
  }
}

/** The run cannot publish: a newer one has, this tick was published already, or a rollback holds publishing. */
export class SupersededError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CRON_PRECOMPUTE_SUPERSEDED';
  readonly outcome: CallOutcome = 'NotExecuted';

  constructor(name: string, why: string) {
    super(`${describe(name)} does not publish this run: ${why}`);
  }
}

/** A version did not pass `validate`. The version before it stays published. */
export class ValidationError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CRON_PRECOMPUTE_INVALID_VERSION';
  readonly outcome: CallOutcome = 'NotExecuted';

  constructor(name: string, why: string, options?: ErrorOptions) {
    super(`${describe(name)} does not publish its new version: ${why}`, options);
  }
}

/** A key with its value is larger than a chunk. */
export class EntryTooLargeError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CRON_PRECOMPUTE_ENTRY_TOO_LARGE';
  readonly key: string;
  readonly bytes: number;

  constructor(key: string, bytes: number, maxBytes: number) {
    super(`the entry of ${describe(key)} has ${bytes} bytes; at most ${maxBytes} fit into a chunk`);
    this.key = key;
    this.bytes = bytes;
  }
}

/** A version is not kept, or a part of it is missing or damaged in the store. */
export class MissingVersionError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CRON_PRECOMPUTE_MISSING_VERSION';
  readonly version: number;

  constructor(name: string, version: number, why: string) {
    super(`version ${version} of ${describe(name)} cannot be read: ${why}`);
    this.version = version;
  }
}

/** The data are older than `freshness.maxStaleMs`, and `freshness.beyond` is `fail`. */
export class TooStaleError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CRON_PRECOMPUTE_TOO_STALE';
  static override readonly retryable: boolean = true;
  readonly ageMs: number;

  constructor(name: string, ageMs: number, maxStaleMs: number) {
    super(`the data of ${describe(name)} are ${ageMs} ms old; at most ${maxStaleMs} ms are served`);
    this.ageMs = ageMs;
  }
}

/** More loads on demand wait than `onDemand.maxWaiting`. */
export class OverloadedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CRON_PRECOMPUTE_OVERLOADED';
  static override readonly retryable: boolean = true;
  readonly outcome: CallOutcome = 'NotExecuted';

  constructor(name: string, waiting: number) {
    super(`${waiting} loads of ${describe(name)} wait already`);
  }
}

/** Whether the same call may succeed later. */
export function isRetryable(error: unknown): boolean {
  return error instanceof AshlarError && error.retryable;
}

/** A part of the work has failed in each of its attempts; the `cause` is the last failure. */
export class ChunkFailedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CRON_PRECOMPUTE_CHUNK_FAILED';
  readonly chunk: unknown;

  constructor(chunk: unknown, attempts: number, options: { readonly cause: unknown }) {
    const { cause } = options;
    const why = cause instanceof Error ? cause.message : describe(cause);
    super(`chunk ${describe(chunk)} has failed ${attempts} times: ${why}`, options);
    this.chunk = chunk;
  }
}
