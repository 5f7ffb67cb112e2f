import { AshlarError, type CallOutcome, describe } from '@ashlar/core';

/** A key is not of the type that the map declares. Nothing was sent. */
export class InvalidShardKeyError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_INVALID_KEY';
  readonly outcome: CallOutcome = 'NotExecuted';

  constructor(key: unknown, wanted: string, advice?: string) {
    super(`a shard key must be ${wanted}, got ${describe(key)}${advice === undefined ? '' : `: ${advice}`}`);
  }
}

/** The directory has no entry for the key, and no `rest`. Nothing was sent. */
export class UnplacedKeyError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_UNPLACED_KEY';
  readonly outcome: CallOutcome = 'NotExecuted';

  constructor(key: unknown) {
    super(
      `the directory has no shard for ${describe(key)}: place it with a Mover, or give the map a \`rest\``,
    );
  }
}

/** `route` and `on` need the map; `ready` resolves when it is here. */
export class NotReadyError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_NOT_READY';
  override readonly retryable = true;
  readonly outcome: CallOutcome = 'NotExecuted';

  constructor(router: string, options?: ErrorOptions) {
    const { cause } = options ?? {};
    const why =
      cause instanceof Error ? `, and the store rejects: ${cause.message}` : ': await `ready()` first';
    super(`${describe(router)} has no shard map yet${why}`, options);
  }
}

/** The map in the store and what this router was told do not agree. */
export class ShardMapError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_MAP';

  constructor(router: string, why: string, options?: ErrorOptions) {
    super(`the shard map of ${describe(router)} ${why}`, options);
  }
}

/** The map is of a later version of this package, and says what this one does not know of. */
export class MapFormatError extends ShardMapError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_MAP_FORMAT';
  readonly format: number;

  constructor(router: string, format: number, known: number) {
    super(
      router,
      `has the format ${format}, and this version knows those up to ${known}: upgrade all routers first, then the movers`,
    );
    this.format = format;
  }
}

/** The router was closed. */
export class RouterClosedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_CLOSED';
  readonly outcome: CallOutcome = 'NotExecuted';

  constructor(router: string) {
    super(`${describe(router)} is closed`);
  }
}

/**
 * The database refused a write: its rows are moving, or have moved. A transaction it belonged to was rolled back. Of a `write`,
 * statements before the refused one may have been executed: then `outcome` is `Unknown`.
 */
export class WrongShardError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_WRONG_SHARD';
  override readonly retryable: boolean;
  readonly outcome: CallOutcome;

  constructor(shard: string, options?: ErrorOptions & { readonly outcome?: CallOutcome }) {
    super(`shard ${shard} does not have these rows, or not for long`, options);
    this.outcome = options?.outcome ?? 'NotExecuted';
    this.retryable = this.outcome === 'NotExecuted';
  }
}

/** A write waited for its rows to arrive on another shard: for too long, or too many did already. It was not executed. */
export class WriteHeldError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_WRITE_HELD';
  override readonly retryable = true;
  readonly outcome: CallOutcome = 'NotExecuted';

  constructor(router: string, why: string, options?: ErrorOptions) {
    super(`${describe(router)} held a write back: ${why}`, options);
  }
}

/** The keys of a call are on several shards, or it has none. Nothing was sent. */
export class CrossShardError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_CROSS_SHARD';
  readonly outcome: CallOutcome = 'NotExecuted';

  constructor(what: string, advice: string) {
    super(`${what}: ${advice}`);
  }
}

/** The map changed again and again while a query began. Nothing was returned. */
export class MapChangedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_SHARD_ROUTER_MAP_CHANGED';
  override readonly retryable = true;
  readonly outcome: CallOutcome = 'NotExecuted';

  constructor(attempts: number) {
    super(`the shard map changed ${attempts} times while a query began`);
  }
}
