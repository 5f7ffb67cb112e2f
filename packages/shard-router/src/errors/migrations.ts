import { AshlarError, type CallOutcome, describe } from '@ashlar/core';
import type { Obstacle } from '../moves/obstacle.ts';

/** Migrations cannot begin: the words of all that stands in their way. Nothing was touched. */
export class MigrationRefusedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_MIGRATION_REFUSED';
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly obstacles: readonly Obstacle[];

  constructor(obstacles: readonly Obstacle[]) {
    super(
      `tables cannot be migrated: ${obstacles.map(({ shard, words }) => `${shard}: ${words}`).join('; ')}`,
    );
    this.obstacles = obstacles;
  }
}

/** A migration has failed at a shard. What `report` says is done stays; run them again to go on. */
export class MigrationFailedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_MIGRATION_FAILED';
  readonly outcome: CallOutcome = 'Unknown';
  /** Of each shard. */
  readonly report: readonly ReportOfShard[];

  constructor(report: readonly ReportOfShard[]) {
    const failed = report.filter(({ state }) => state === 'failed');
    const words = failed.map(
      ({ shard, pending, error }) =>
        `${shard} at ${pending[0]}: ${error instanceof Error ? error.message : describe(error)}`,
    );
    super(`migrations have failed on ${words.join('; ')}`, { cause: failed[0]?.error });
    this.report = report;
  }
}

/** What is done at a shard. `pending` begins with the one that has failed, if any. */
export interface ReportOfShard {
  readonly shard: string;
  readonly state: 'done' | 'failed' | 'waiting';
  readonly applied: readonly string[];
  readonly pending: readonly string[];
  readonly error?: unknown;
}

/** The migrations were closed. What is not committed is not done; run them again to go on. */
export class MigrationsClosedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_MIGRATIONS_CLOSED';

  constructor() {
    super('the migrations are closed');
  }
}

/** The statement of a migration has run, and its index is not there, or not valid. In the `report` of a MigrationFailedError. */
export class InvalidIndexError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_INVALID_INDEX';
  readonly outcome: CallOutcome = 'Unknown';
  readonly index: string;

  constructor(index: string) {
    super(`the index ${index} is not there, or is not valid`);
    this.index = index;
  }
}
