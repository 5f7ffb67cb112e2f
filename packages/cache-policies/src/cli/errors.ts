import { AshlarError } from '@ashlar/core';

/** The command line is wrong; the message is one line. */
export class UsageError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_POLICIES_CLI_USAGE';
}
