import { AshlarError, type CallOutcome, describe } from '@ashlar/core';
import type { Position } from './session.ts';

/** No server was known to be a primary that answers, for as long as the call could wait. Nothing was executed. */
export class NoPrimaryError extends AshlarError {
  static override readonly code: string = 'ASHLAR_REPLICA_FAILOVER_NO_PRIMARY';
  static override readonly retryable: boolean = true;
  readonly outcome: CallOutcome = 'NotExecuted';
}

/**
 * The primary lacks standbys that must acknowledge a write, for as long as the call could wait. Nothing was executed. Where
 * they do not come back, an operator adds others, or lets fewer acknowledge: `changeMembers`.
 */
export class NoStandbyError extends AshlarError {
  static override readonly code: string = 'ASHLAR_REPLICA_FAILOVER_NO_STANDBY';
  static override readonly retryable: boolean = true;
  readonly outcome: CallOutcome = 'NotExecuted';

  constructor(set: string, synchronous: number) {
    const text = `the primary of ${describe(set)} has fewer than the ${synchronous} standbys that must acknowledge a write`;
    super(`${text}: add one, or let fewer acknowledge`);
  }
}

/** As many calls wait for a primary as may: `maxWaiting`. Nothing was executed. */
export class WaitingFullError extends AshlarError {
  static override readonly code: string = 'ASHLAR_REPLICA_FAILOVER_WAITING_FULL';
  static override readonly retryable: boolean = true;
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly maxWaiting: number;

  constructor(set: string, maxWaiting: number) {
    super(`${maxWaiting} writes wait for a primary of ${describe(set)}, and no more may`);
    this.maxWaiting = maxWaiting;
  }
}

/** No server could serve the read at its level of consistency, for as long as the call could wait. */
export class NoServerError extends AshlarError {
  static override readonly code: string = 'ASHLAR_REPLICA_FAILOVER_NO_SERVER';
  static override readonly retryable: boolean = true;
  readonly outcome: CallOutcome = 'NotExecuted';
}

/**
 * It is not known whether the work was executed: its connection was lost, or its time was over, when something had been
 * sent. Look at the data before you repeat it.
 */
export class OutcomeUnknownError extends AshlarError {
  static override readonly code: string = 'ASHLAR_REPLICA_FAILOVER_OUTCOME_UNKNOWN';
  readonly outcome: CallOutcome = 'Unknown';
}

/**
 * The work of a `write` has left a transaction open that it had begun itself; it was rolled back. Use `transaction`, which
 * commits.
 */
export class OpenTransactionError extends AshlarError {
  static override readonly code: string = 'ASHLAR_REPLICA_FAILOVER_OPEN_TRANSACTION';
}

/**
 * The work of a `transaction` has ended it, as an ORM's own transaction does: what it did is not one transaction, and may or
 * may not have been committed. Use `write` for transactions that work begins and ends itself.
 */
export class EndedTransactionError extends AshlarError {
  static override readonly code: string = 'ASHLAR_REPLICA_FAILOVER_ENDED_TRANSACTION';
  readonly outcome: CallOutcome = 'Unknown';

  constructor(options?: ErrorOptions) {
    super(
      'the work has ended the transaction in which it ran: for a transaction of its own, use `write`',
      options,
    );
  }
}

/**
 * A transaction was executed, and some of its commands failed: Redis keeps what the others did. `errors` has what the server
 * said of those.
 */
export class PartlyExecutedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_REPLICA_FAILOVER_PARTLY_EXECUTED';
  readonly outcome: CallOutcome = 'Executed';
  readonly errors: readonly Error[];

  constructor(commands: number, errors: readonly Error[]) {
    const text = `${errors.length} of the ${commands} commands of the transaction failed, and the others were executed`;
    super(`${text}: ${errors[0]?.message}`, { cause: errors[0] });
    this.errors = errors;
  }
}

/** The call was not over in time. `outcome` is always `NotExecuted`; else it is an OutcomeUnknownError. */
export class CallTimeoutError extends AshlarError {
  static override readonly code: string = 'ASHLAR_REPLICA_FAILOVER_TIMEOUT';
  static override readonly retryable: boolean = true;
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly timeoutMs: number;

  constructor(what: string, timeoutMs: number, options?: ErrorOptions) {
    super(`${what} was not over within ${timeoutMs} ms`, options);
    this.timeoutMs = timeoutMs;
  }
}

/**
 * What the session has seen is not part of the primary's history: a failover has lost it, or it cannot be shown that it
 * has not. Tell the user, and go on with `session.reset(error.set)`.
 */
export class PositionLostError extends AshlarError {
  static override readonly code: string = 'ASHLAR_REPLICA_FAILOVER_POSITION_LOST';
  /** The name of the set. */
  readonly set: string;
  readonly position: Position;

  constructor(set: string, position: Position, term: number) {
    super(
      `the session has seen ${position.offset} of term ${position.term} of ${describe(set)}, which is not known to be part of term ${term}`,
    );
    this.set = set;
    this.position = position;
  }
}

/** The backend cannot serve this level of consistency at all. Nothing was executed. */
export class UnsupportedConsistencyError extends AshlarError {
  static override readonly code: string = 'ASHLAR_REPLICA_FAILOVER_UNSUPPORTED_CONSISTENCY';
  readonly outcome: CallOutcome = 'NotExecuted';
}

/** The connection belongs to a primary of an earlier term: this process has learnt of a new one. The `cause` of others. */
export class SupersededError extends AshlarError {
  static override readonly code: string = 'ASHLAR_REPLICA_FAILOVER_SUPERSEDED';
  static override readonly retryable: boolean = true;

  constructor(set: string, term: number) {
    super(`${describe(set)} has a new primary, of term ${term}`);
  }
}

/**
 * The servers of the set are not one primary and its replicas: some are of another cluster, or two ids reach one server.
 * `connect` rejects with it, before anything is changed; a server that becomes so later gets no work.
 */
export class WrongServersError extends AshlarError {
  static override readonly code: string = 'ASHLAR_REPLICA_FAILOVER_WRONG_SERVERS';
  readonly outcome: CallOutcome = 'NotExecuted';
  /** Those that do not belong together. */
  readonly servers: readonly string[];

  constructor(message: string, servers: readonly string[]) {
    super(message);
    this.servers = servers;
  }
}

/** The set was closed before or during the call. */
export class ReplicaSetClosedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_REPLICA_FAILOVER_CLOSED';
  readonly outcome: CallOutcome;

  constructor(set: string, outcome: CallOutcome = 'NotExecuted') {
    super(`${describe(set)} is closed`);
    this.outcome = outcome;
  }
}

/** A server or the store has noted a later term than that of the one who wanted to lead. Nothing was changed. */
export class TermPassedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_REPLICA_FAILOVER_TERM_PASSED';
  readonly term: number;
  readonly noted: number;

  constructor(where: string, term: number, noted: number) {
    super(`${where} has noted term ${noted}, so term ${term} may change nothing there`);
    this.term = term;
    this.noted = noted;
  }
}

/** Nobody could be made primary; the message says why, and what is left as it was. */
export class FailoverRefusedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_REPLICA_FAILOVER_REFUSED';
  static override readonly retryable: boolean = true;
}
