import type { MoveStep } from '../map/moving.ts';

/** How far a move is. */
export interface MoveEvent {
  readonly move: string;
  readonly step: MoveStep;
  /** Rows that are at the target, and how many there are to be, where it is known. */
  readonly rows?: number;
  readonly ofRows?: number;
  /** Rows a second, since this run began to count them. */
  readonly rowsPerSecond?: number;
  /** Milliseconds until all rows are copied, at that rate. */
  readonly etaMs?: number;
  /** Milliseconds by which the target is behind, and bytes of log that the source keeps for it. */
  readonly lagMs?: number;
  readonly retainedBytes?: number;
  /** Milliseconds for which the rows could not be written. */
  readonly pauseMs?: number;
  /** What it waits for, or why it goes back, in words. */
  readonly words?: string;
}
