import { AshlarError, type CallOutcome } from '@ashlar/core';

/** The router, or one of the shards, takes no transactions over several. Nothing was written. */
export class TwoPhaseUnavailableError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_TWO_PHASE_UNAVAILABLE';
  readonly outcome: CallOutcome = 'NotExecuted';
  /** The one that does not; undefined when it is the router. */
  readonly shard: string | undefined;

  constructor(shard: string | undefined, why: string, options?: ErrorOptions) {
    const who = shard === undefined ? '' : `, as shard ${shard} takes no part in one`;
    super(`a transaction over several shards was not begun${who}: ${why}`, options);
    this.shard = shard;
  }
}

/**
 * The answer to the commit of a transaction over several shards was lost, and the shard that keeps its verdict does not answer.
 * `router.outcomeOf(transaction)` finds out what became of it.
 */
export class InDoubtError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_IN_DOUBT';
  readonly outcome: CallOutcome = 'Unknown';
  /** Names it, in any process. */
  readonly transaction: string;

  constructor(transaction: string, options?: ErrorOptions) {
    super(`nobody knows yet what became of transaction ${transaction}`, options);
    this.transaction = transaction;
  }
}

/**
 * A transaction over several shards is committed, and some of them could not be told in time: what it wrote there is not seen, and its
 * rows are locked, until a router tells them.
 */
export class UnsettledError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_UNSETTLED';
  readonly outcome: CallOutcome = 'Executed';
  readonly transaction: string;
  readonly shards: readonly string[];

  constructor(transaction: string, shards: readonly string[], options?: ErrorOptions) {
    super(
      `transaction ${transaction} is committed, and not yet seen on ${shards.join(', ')}: do not repeat it`,
      options,
    );
    this.transaction = transaction;
    this.shards = shards;
  }
}

/**
 * A transaction over several shards is committed, and its part on this one is not there: somebody has rolled it back, or the shard has lost it
 * in a failover. What it wrote on the others stays.
 */
export class PartLostError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_PART_LOST';
  readonly outcome: CallOutcome = 'Unknown';
  /** The name of the part in its database. */
  readonly part: string;

  constructor(part: string, options?: ErrorOptions) {
    super(`the part ${part} of a committed transaction is not there`, options);
    this.part = part;
  }
}
