import { AshlarError } from '@ashlar/core';
import type { Obstacle } from '../moves/obstacle.ts';

/** Another process has taken the move over, or it was aborted. This one's step changed nothing. */
export class StaleMoveError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_STALE_MOVE';

  constructor(move: string, options?: ErrorOptions) {
    super(`move ${move} is not this process's any more`, options);
  }
}

/** A move cannot begin, or go on: the words of all that stands in its way. Nothing is locked. */
export class MoveRefusedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_MOVE_REFUSED';
  readonly obstacles: readonly Obstacle[];

  constructor(what: string, obstacles: readonly Obstacle[], options?: ErrorOptions) {
    super(`${what}: ${obstacles.map(({ words }) => words).join('; ')}`, options);
    this.obstacles = obstacles;
  }
}

/** A move was undone: because somebody asked for it, or for a limit, or because source and target differ. */
export class MoveAbortedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_MOVE_ABORTED';

  constructor(move: string, why: string, options?: ErrorOptions) {
    super(`move ${move} was undone: ${why}`, options);
  }
}

/** The slots could not change hands within the limits. Nothing is locked, and the move goes on from there when it is run again. */
export class CutoverError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_CUTOVER';
  override readonly retryable = true;

  constructor(move: string, why: string, options?: ErrorOptions) {
    super(`move ${move} does not come to its end: ${why}`, options);
  }
}

/** The target cannot go on following the source, which has failed over or keeps no log for it: the copy starts over. */
export class LostCopyError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_LOST_COPY';

  constructor(move: string, why: string, options?: ErrorOptions) {
    super(`the copy of move ${move} has to start over: ${why}`, options);
  }
}

/** A transaction on the moved tables kept the fence from closing. Nothing is locked. */
export class FenceBusyError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_FENCE_BUSY';
  override readonly retryable = true;

  constructor(shard: string, options?: ErrorOptions) {
    super(`shard ${shard} has transactions on the moved tables that do not end`, options);
  }
}

/** A move cannot go on until somebody mends what stands in its way. What it did so far stays. */
export class MoveBlockedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_MOVE_BLOCKED';

  constructor(move: string, why: string, options?: ErrorOptions) {
    super(`move ${move} is blocked: ${why}`, options);
  }
}

/** The mover, or what moves rows for it, was closed. Nothing is locked, and the move stays in the map, for whoever runs it next. */
export class MoverClosedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_MOVER_CLOSED';

  constructor(what: string) {
    super(`${what} is closed`);
  }
}
