import { AshlarError } from '@ashlar/core';

/** What was typed cannot be done; the message is one line. */
export class UsageError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_POLICIES_CLI_USAGE';
}
