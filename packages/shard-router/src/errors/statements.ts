import { AshlarError, type CallOutcome, describe } from '@ashlar/core';

/** A table, a column or a value is not what the spec of the table declares. Nothing was sent. */
export class InvalidValueError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_INVALID_VALUE';
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly table: string;

  constructor(table: string, why: string) {
    super(`the table ${table} ${why}`);
    this.table = table;
  }
}

/** A row with this primary key, or with another value that must be unique, is there. Nothing was written. */
export class DuplicateRowError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_DUPLICATE_ROW';
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly table: string;

  /** @param which what is there, in words */
  constructor(table: string, which?: string, options?: ErrorOptions) {
    super(`the table ${table} has such a row${which === undefined ? '' : `: ${which}`}`, options);
    this.table = table;
  }
}

/** A call on a memory or PGlite shard was not over in time. Of a `write`, statements may have been executed: then `outcome` is `Unknown`. */
export class ShardTimeoutError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_TIMEOUT';
  override readonly retryable: boolean;
  readonly outcome: CallOutcome;

  constructor(shard: string, operation: string, timeoutMs: number, outcome: CallOutcome = 'NotExecuted') {
    super(`the ${operation} on shard ${shard} was not over within ${timeoutMs} ms`);
    this.outcome = outcome;
    this.retryable = outcome === 'NotExecuted';
  }
}

/** The work of a transaction has called its shard past what it got: the call would wait for the transaction, and the transaction for it. */
export class NestedCallError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_NESTED_CALL';
  readonly outcome: CallOutcome = 'NotExecuted';

  constructor(shard: string, operation: string) {
    super(
      `a ${operation} on shard ${shard} within a transaction on it would wait for that transaction for ever: use what its work got, as \`tx.table(…)\` or \`tx.client\``,
    );
  }
}

/** The work of a transaction has ended, and something that it left running sends another statement. Nothing was sent. */
export class TransactionOverError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_TRANSACTION_OVER';
  readonly outcome: CallOutcome = 'NotExecuted';

  constructor() {
    super('the transaction is over: await all that its work does, and use its tables and clients only there');
  }
}

/** An update sets a column of the shard key, which would have to move the row. Nothing was sent. */
export class ShardKeyUpdateError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_KEY_UPDATE';
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly table: string;

  constructor(table: string, column: string) {
    super(
      `${column} is in the shard key of ${table}: use \`moveRow\`, or delete the row and insert it under its new key`,
    );
    this.table = table;
  }
}

/** The shards have no tables that this package can reach. */
export class UnsupportedClientError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_UNSUPPORTED_CLIENT';
  readonly outcome: CallOutcome = 'NotExecuted';

  constructor(client: unknown) {
    super(
      `tables need shards whose client has \`query(text, values)\` or memory shards, got ${describe(client)}`,
    );
  }
}

/** A write for several shards has been committed on some and failed on the next. The cause says how. */
export class PartialWriteError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_PARTIAL_WRITE';
  readonly outcome: CallOutcome = 'Unknown';
  /** Where it is committed. */
  readonly done: readonly string[];
  /** Where it failed; the shards after it were not asked. */
  readonly shard: string;
  /** Rows that were written. */
  readonly count: number;

  constructor(what: string, done: readonly string[], shard: string, count: number, cause: unknown) {
    super(`${what} is committed on ${done.join(', ')}, and failed on ${shard}`, { cause });
    this.done = done;
    this.shard = shard;
    this.count = count;
  }
}

/** Commands of a transaction on Redis have failed, and the others were executed: Redis takes nothing back. */
export class PartlyExecutedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_PARTLY_EXECUTED';
  readonly outcome: CallOutcome = 'Executed';
  readonly errors: readonly Error[];

  constructor(commands: number, errors: readonly Error[]) {
    const text = `${errors.length} of the ${commands} commands of the transaction failed, and the others were executed`;
    super(`${text}: ${errors[0]?.message}`, { cause: errors[0] });
    this.errors = errors;
  }
}

/** A query cannot be answered as it is: what it asks is not there, or cannot be the same on all shards. Nothing was sent. */
export class InvalidQueryError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_INVALID_QUERY';
  readonly outcome: CallOutcome = 'NotExecuted';
}

/** The rows of several shards cannot be merged in a collation: they do not all have it, or not the same. Nothing was returned. */
export class CollationError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_COLLATION';
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly collation: string;

  /** @param why what is wrong with it, in words */
  constructor(collation: string, why: string, options?: ErrorOptions) {
    super(`the collation ${collation} ${why}; or leave \`collation\` out, for COLLATE "C"`, options);
    this.collation = collation;
  }
}

/** A shard has failed while a query ran on several, and the others were stopped; or it has ended the connection of a move. */
export class ShardFailedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_SHARD_FAILED';
  override readonly retryable = true;
  readonly shard: string;

  constructor(shard: string, cause: unknown) {
    super(`shard ${shard} has failed: ${cause instanceof Error ? cause.message : describe(cause)}`, {
      cause,
    });
    this.shard = shard;
  }
}

/** A sum is beyond what its type can hold, where PostgreSQL has an error too. */
export class OutOfRangeError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_OUT_OF_RANGE';

  constructor(type: string) {
    super(`a sum is out of the range of ${type}`);
  }
}

/** The shards of a query have different versions of a reference table, and could not be brought to one. Nothing was returned. */
export class MixedVersionsError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_MIXED_VERSIONS';
  override readonly retryable = true;
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly table: string;

  constructor(table: string, options?: ErrorOptions) {
    super(`the shards have different versions of the reference table ${table}`, options);
    this.table = table;
  }
}

/** Another write of the same value is under way, or its process has died and it is not yet settled. Nothing was written. */
export class IndexBusyError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_INDEX_BUSY';
  override readonly retryable = true;
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly table: string;
  readonly index: string;

  constructor(table: string, index: string) {
    super(`another write of ${table} is about the same value in the index ${index}`);
    this.table = table;
    this.index = index;
  }
}
