import { AshlarError } from '@ashlar/core';

/** The memory server is dead, or the connection was ended. */
export class MemoryConnectionError extends AshlarError {
  static override readonly code: string = 'ASHLAR_REPLICA_FAILOVER_MEMORY_CONNECTION';
  static override readonly retryable: boolean = true;
}

/** A write was sent to a memory server that is a replica. Nothing was executed. */
export class MemoryReadOnlyError extends AshlarError {
  static override readonly code: string = 'ASHLAR_REPLICA_FAILOVER_MEMORY_READ_ONLY';
  static override readonly retryable: boolean = true;
}
