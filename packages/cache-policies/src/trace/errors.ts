import { AshlarError } from '@ashlar/core';

/** The trace is unusable; the message is one line that begins with its name. */
export class TraceError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_POLICIES_TRACE';
}
