import type { Slice } from '../keys/layout.ts';
import type { SlotSpace } from '../keys/slot-space.ts';
import type { Tables } from '../tables/table.ts';
import type { Obstacle } from './obstacle.ts';

export type { Obstacle, Slice };

/** What says which rows are in which slots. */
export interface MoveSpace extends SlotSpace {
  readonly tables: Tables;
}

/** A move: these slots of all tables, from one shard to another. */
export interface MoveSpec extends MoveSpace {
  /** Names what the move leaves in the databases; letters, digits and `_`. */
  readonly id: string;
  /** The name of the map. */
  readonly router: string;
  readonly from: string;
  readonly to: string;
  /** In order, without overlap. */
  readonly slices: readonly Slice[];
}

/** Who works on a move now. A step of a superseded worker must change nothing. */
export interface MoveContext {
  readonly signal: AbortSignal;
  /** Grows with each worker that takes the move over. Databases note it, and refuse a smaller one. */
  readonly token: bigint;
  /** What is done, for progress: rows or bytes so far and in all. */
  progress(done: { readonly table?: string; readonly rows: number; readonly ofRows?: number }): void;
  /** Of `abort` the target and of `finish` the source, where that is lost for good: they do without it if it does not answer. */
  readonly lost?: string;
  /** `fence` calls it right before writes begin to wait: what it compares and settles until then is no pause. */
  closing?(): void;
}

export interface MovePlan {
  /** The move is refused while there is one. */
  readonly obstacles: readonly Obstacle[];
  /** What the operator should know, but need not mend. */
  readonly warnings: readonly Obstacle[];
  /** Estimates, by table. */
  readonly tables: readonly { readonly table: string; readonly rows: number; readonly bytes: number }[];
}

/** How far the target is behind the source, in the moved tables alone. */
export interface MoveLag {
  /**
   * At most how long ago the first commit was made that the target does not have, in milliseconds. Never less than that, and more by what
   * it takes to find out; 0 when the target is known to have everything.
   */
  readonly lagMs: number;
  /** Bytes of log that the source keeps for this move. */
  readonly retainedBytes: number;
}

/** How the old source of a committed move follows the new one. */
export interface Following {
  /** `waiting`: something of `follow` is left to do. `ended`: it cannot follow any more, and the move cannot be rolled back. */
  readonly state: 'waiting' | 'follows' | 'ended';
  /** Bytes of log that the new owner keeps for it. */
  readonly retainedBytes: number;
}

/** A table at which a fence stands now, and did not before. */
export interface ExtendedFence {
  readonly table: string;
  /** Somebody has written rows there, which nobody is routed to: they stand in the way when their slots are to come back. */
  readonly hasRows: boolean;
}

/** Those of each shard, by its name. */
export type ExtendedFences = Readonly<Record<string, readonly ExtendedFence[]>>;

/** A part of the rows in which source and target differ. */
export interface Difference {
  readonly table: string;
  /** Primary keys, up to a hundred of each kind, as JSON. */
  readonly missing: readonly string[];
  readonly extra: readonly string[];
  readonly different: readonly string[];
}

export interface Verification {
  readonly rows: number;
  readonly differences: readonly Difference[];
}

/**
 * What one kind of shard does so that slots can move between two of them. The engine calls the steps in the order in which
 * they stand here, and undoes with `abort` or ends with `finish`. Every step may be called again, also by another process
 * after a crash in its midst, and then does what is left. No call settles while something of it still runs in a database: the
 * engine begins the next step, or undoes this one, as soon as it has. A step of a worker whose token is superseded, or of a move that was
 * aborted, rejects with StaleMoveError and changes nothing: it is checked in the database, in the transaction of the step.
 *
 * A move that is rolled back is the same move, by its `id`, with `from` and `to` exchanged: it begins with `lag`, since the old
 * source follows already. Where it ends early, `unfence` is all that is undone. `finish` is given the move as it stands then.
 */
export interface MoveBackend {
  /** What stands in the way and what it costs. Changes nothing. */
  plan(move: MoveSpec, signal: AbortSignal): Promise<MovePlan>;

  /** Bytes of each slot at a shard, of all tables; a slot without rows may be left out. Changes nothing. Absent: plans by size are refused. */
  sizes?(shard: string, space: MoveSpace, signal: AbortSignal): Promise<ReadonlyMap<number, number>>;

  /**
   * Makes what the target needs, with its fence closed: no session but the copy can write moved rows there. What is there behind the
   * fence is somebody's: no step ever deletes rows of these slots at the target unless `prepare` has found none.
   *
   * @throws MoveRefusedError `rows_at_target`, with the fence open again
   */
  prepare(move: MoveSpec, context: MoveContext): Promise<void>;

  /** Copies the rows, and from then on follows their changes. Starts over when the source has failed over. */
  copy(move: MoveSpec, context: MoveContext): Promise<void>;

  /**
   * How far the target is behind. Says so only by what the target has confirmed about these tables, never by positions of the
   * whole log.
   *
   * @throws LostCopyError when following cannot go on (the source failed over, its slot is gone): `copy` starts over
   */
  lag(move: MoveSpec, context: MoveContext): Promise<MoveLag>;

  /** Compares all rows while both are written. Remembers what it has compared, so that `recheck` can be short. */
  verify(move: MoveSpec, context: MoveContext): Promise<Verification>;

  /**
   * Closes the fence of the source: once it resolves, no session of any kind can write moved rows there, and none that did
   * is still open. Reads pass. Rejects with FenceBusyError when a transaction holds it up for longer than `withinMs`, and
   * leaves the fence open and nothing locked.
   */
  fence(move: MoveSpec, context: MoveContext, withinMs: number): Promise<void>;

  /**
   * Undoes `fence`, and nothing else: the source can be written again, and the target goes on following. Called when the
   * pause would last too long, and never once `turn` has begun. The target need not answer.
   */
  unfence(move: MoveSpec, context: MoveContext): Promise<void>;

  /** Resolves when the target has, durably, all that was committed before the fence. */
  drain(move: MoveSpec, context: MoveContext): Promise<void>;

  /** Compares again what was changed since `verify`. */
  recheck(move: MoveSpec, context: MoveContext): Promise<Verification>;

  /**
   * Turns the following round, from target to source, so that the move can be rolled back, and opens the fence of the target
   * (nobody is routed there yet). The next step of the engine is the change of the map; where this one takes too long, `abort`, but of a
   * move that is rolled back.
   */
  turn(move: MoveSpec, context: MoveContext): Promise<void>;

  /**
   * After the change of the map: the old source follows, and what steps have left that it does not need is gone. Also called after a
   * verification of a committed move, and after a rollback that was given up. Absent where `turn` does it all, and `verify` leaves nothing.
   */
  follow?(move: MoveSpec, context: MoveContext): Promise<void>;

  /** How the old source of a committed move follows. Changes nothing. Absent where nothing is kept for that. */
  following?(move: MoveSpec, signal: AbortSignal): Promise<Following>;

  /** Ends that: the new owner keeps no log for it any more, and the move cannot be rolled back, only finished. */
  unfollow?(move: MoveSpec, context: MoveContext): Promise<void>;

  /**
   * Undoes everything at source and target, before the change of the map: the source is open again, first of all, also where the target does not
   * answer.
   *
   * @throws ShardFailedError of the target, when it does not answer and is not `lost`
   */
  abort(move: MoveSpec, context: MoveContext): Promise<void>;

  /**
   * After the change of the map and the time for rolling back: ends the following, deletes the moved rows at the source in small batches, and
   * leaves the source's fence closed for them.
   *
   * @throws ShardFailedError of the source, when it does not answer and is not `lost`
   */
  finish(move: MoveSpec, context: MoveContext): Promise<void>;

  /**
   * Takes slots from the shard `from`, to which `to` is equal, that are to be nobody's: once it resolves, no session of any kind can write
   * such rows there, and none that did is still open. Returns the tables that have such rows: where there are any, and `keepsRows` is not set,
   * nothing is changed. Rejects as `fence` does. Of this and `admit`, a call with a smaller token than one before at the shard changes nothing, and rejects
   * with StaleMoveError. Absent: entries of a directory cannot be forgotten.
   */
  retire?(
    move: MoveSpec,
    context: MoveContext,
    how: { readonly withinMs: number; readonly keepsRows: boolean },
  ): Promise<readonly string[]>;

  /** Lets rows of slots be written at the shard `to` that nobody has, whatever it refuses since it has lost them. Where there is `retire`. */
  admit?(move: MoveSpec, context: MoveContext): Promise<void>;

  /**
   * Deletes the rows of slots at the shard `from`, while that refuses writes of them since it has lost them for good: looks in the transaction of each
   * deletion, since what has come back is somebody's. Returns how many. Rejects with MoveRefusedError where it takes such writes. Where there is `retire`.
   */
  purge?(move: MoveSpec, context: MoveContext): Promise<number>;

  /**
   * Closes, at all its shards, the fences of what they have lost for good also at tables which these do not stand at yet, since they were made
   * later. Returns those, by the names of the shards. Absent where fences are not of tables.
   */
  extendFences?(router: string, space: MoveSpace, signal: AbortSignal): Promise<ExtendedFences>;

  /** What is left of moves at a shard, in words, but for `current`: triggers, publications, slots. Empty when nothing leaks. */
  leaks(shard: string, current: readonly string[]): Promise<readonly string[]>;
}
