import type { Slice } from '../keys/layout.ts';

/**
 * How far a move is, as the map says it. In the order of a move that meets nothing:
 *
 * - `prepare`, `copy`, `catchUp`, `verify`: the target gets the rows; nobody notices.
 * - `ready`: the target follows the source, and both are equal.
 * - `cutover`: from now on routers confirm each read of these slots with the store before they answer.
 * - `fence`: the source is closed to writes of these rows, and the target gets the last of them.
 * - `turn`: the target is ready; what follows is the change of the map, or `aborting`.
 * - `committed`: the target has the slots, and the old source follows it, so that the move can be rolled back.
 * - `finishing`: the old source is cleared. Then the move is no more in the map.
 *
 * And the ways back: from `fence` to `ready`, where the fence did not close or the pause would have been too long; and `aborting`, where
 * everything is undone. Then the move is no more in the map; one that was to be rolled back is `committed` as before.
 */
export const moveSteps = [
  'prepare',
  'copy',
  'catchUp',
  'verify',
  'ready',
  'cutover',
  'fence',
  'turn',
  'committed',
  'finishing',
  'aborting',
] as const;

export type MoveStep = (typeof moveSteps)[number];

/** A place in the history of one resource of a shard, as a session holds it; `offset` is a decimal number. */
export interface SeenPosition {
  readonly resource: string;
  readonly term: number;
  readonly offset: string;
}

/** A move in the map. */
export interface Moving {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly slices: readonly Slice[];
  readonly step: MoveStep;
  /** The fencing token of who works on it, a decimal number; `0` before anybody does. */
  readonly token: string;
  /** Whether it goes back: it was committed, and is rolled back. */
  readonly back: boolean;
  /** The tables that it began with, whose rows move. */
  readonly tables?: readonly string[];
  /** Which of its shards somebody has said to be lost for good: its end does without that one where it does not answer. */
  readonly lost?: string;
  /** Why it is undone, where it is. */
  readonly why?: string;
  /** What a replica of the target must have to have the moved rows, from `turn` on. */
  readonly seen?: readonly SeenPosition[];
  /** Milliseconds since 1970, by the clock of who committed it. For people, and for when it may be finished. */
  readonly committedAtMs?: number;
}

/** Steps at which the slots have changed hands. */
export function isCommitted({ step }: Moving): boolean {
  return step === 'committed' || step === 'finishing';
}

/** Steps at which a router may not take its own copy's word for these slots. */
export function isCuttingOver({ step }: Moving): boolean {
  return step === 'cutover' || step === 'fence' || step === 'turn';
}

/** Which shard has the slots of a move now. */
export function ownerOf(move: Moving): string {
  return isCommitted(move) ? move.to : move.from;
}
