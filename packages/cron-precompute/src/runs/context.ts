import type { Trigger } from './record.ts';

/** What the work of a run is given. */
export interface RunContext {
  readonly job: string;
  /** Identifies the run, together with the job and the trigger. The same in every attempt. */
  readonly scheduledAt: Date;
  readonly trigger: Trigger;
  /** Of a back-fill of a data set: what has changed since then is to be read again. */
  readonly wantedSince?: Date;
  /** 1, or more when the run was taken over from a process that crashed or closed. */
  readonly attempt: number;
  /** Grows with every attempt of every run. Present it, with `holder`, to what the work writes to. */
  readonly token: bigint;
  readonly holder: string;
  /** Aborts when the run must stop: it timed out, was replaced, the job is closed, or the lease is lost. */
  readonly signal: AbortSignal;
  /** What the last `checkpoint` of an earlier attempt kept; `undefined` in a run that starts clean. */
  readonly cursor: unknown;
  /**
   * Keeps where the work is, as JSON, for the process that takes the run over; with the progress.
   *
   * @throws RunFencedError when this is not the run's last attempt any more, InvalidOptionError for what is not JSON
   */
  checkpoint(cursor: unknown): Promise<void>;
  /**
   * How far the work is, in a unit of its own. Costs nothing; the record has it from the next checkpoint on.
   *
   * @throws InvalidOptionError for what is no number of at least 0
   */
  progress(done: number, total?: number): void;
  /**
   * Resolves when the gate lets the work go on: at once, after a pause, or when fewer users are served; with the share of its time
   * that the work may use, above 0 to 1. Call it between parts. Rejects with the reason when the run must stop.
   */
  turn(): Promise<number>;
  /** Whether a turn may have to wait: for parts that are very small. */
  readonly isTurnDue: boolean;
  /** Throws the reason when the run must stop; also right after a stall, when `signal` has not aborted yet. */
  assertCurrent(): void;
}

/** What identifies an attempt to those that it writes to. */
export type FencedRun = Pick<RunContext, 'scheduledAt' | 'token' | 'holder'>;

/**
 * Makes what a run that has timed out or was replaced still writes fail, and returns whether the run has done its work already: then
 * it has succeeded. It is called before the record is closed, and again when it fails with an error that is `retryable`.
 */
export type FenceRun = (run: FencedRun) => Promise<boolean>;

/**
 * A function of your own. What it returns is on the record, when JSON keeps it in at most 10 000 characters; else `resultDropped`
 * says why it is not.
 */
export type Work = (run: RunContext) => unknown;
