/** Why there is a run: its time has come, somebody has called `trigger`, or `backfill`. */
export type Trigger = 'schedule' | 'manual' | 'backfill';

/**
 * `running`, also while no process has it, after a crash. `succeeded`. `failed`: the work threw, or crashed too often.
 * `timed-out`, `replaced`. `superseded`: another run has published for this time or a later one, or publishing is held.
 * `rejected`: its result did not pass the validation.
 */
export type RunStatus =
  | 'running'
  | 'succeeded'
  | 'failed'
  | 'timed-out'
  | 'replaced'
  | 'superseded'
  | 'rejected';

/** What identifies a run: of the same job, no two have both in common. */
export interface RunId {
  /** Milliseconds since 1970. */
  readonly scheduledAt: number;
  readonly trigger: Trigger;
}

/** A run that is to be made, or is made. */
export interface WantedRun extends RunId {
  /** Read at least what has changed since this time: milliseconds since 1970. For a back-fill of a data set. */
  readonly since?: number;
}

/** Only what says which run it is, of a record or what else has more. */
export function wanted({ scheduledAt, trigger, since }: WantedRun): WantedRun {
  return { scheduledAt, trigger, ...(since === undefined ? {} : { since }) };
}

export interface Progress {
  readonly done: number;
  readonly total?: number;
  /** `done` a second, since the attempt began. */
  readonly perSecond?: number;
  /** Milliseconds to the end at this rate. */
  readonly etaMs?: number;
}

/** What the store remembers of a run; JSON. Times are milliseconds since 1970, by the clock of the process that ran it. */
export interface RunRecord extends WantedRun {
  readonly job: string;
  readonly status: RunStatus;
  /** The fencing token of the last attempt, in decimal. */
  readonly token: string;
  /** The process of the last attempt. */
  readonly holder: string;
  /** 1, and one more with every process that took the run over. */
  readonly attempt: number;
  readonly startedAt: number;
  readonly endedAt?: number;
  readonly error?: { readonly name: string; readonly code?: string; readonly message: string };
  /** What the last `checkpoint` kept. */
  readonly cursor?: unknown;
  readonly progress?: Progress;
  /** What the work returned. */
  readonly result?: unknown;
  /** Why what the work returned is not here. The work is done all the same. */
  readonly resultDropped?: string;
}

/** As a record has it. */
export type RecordedError = NonNullable<RunRecord['error']>;

export function sameRun(a: RunId, b: RunId): boolean {
  return a.scheduledAt === b.scheduledAt && a.trigger === b.trigger;
}

/** The last part of the key of a record. In the order of keys, runs are in the order of their time. */
export function runKey({ scheduledAt, trigger }: RunId): string {
  return `${String(scheduledAt).padStart(16, '0')}-${trigger}`;
}

/** What is thrown may be anything, such as an error whose `message` throws; nothing that it does may keep a run from ending. */
export function errorRecord(error: unknown): RecordedError {
  try {
    return readError(error);
  } catch {
    return { name: 'Error', message: 'what the work threw cannot be read' };
  }
}

function readError(error: unknown): RecordedError {
  if (!(error instanceof Error)) return { name: 'Error', message: short(error) };
  const { code } = error as { readonly code?: unknown };
  const message = short(error.message);
  return { name: short(error.name), ...(typeof code === 'string' ? { code: short(code) } : {}), message };
}

function short(text: unknown): string {
  return String(text).slice(0, 1_000);
}

/** A record that the store takes although it has refused the whole of it: without what the work has put there. */
export function bare(
  { cursor: _cursor, progress: _progress, result, ...record }: RunRecord,
  why: unknown,
): RunRecord {
  return result === undefined ? record : { ...record, resultDropped: errorRecord(why).message };
}
