import { AshlarError } from '@ashlar/core';

/** What a test waited for did not come to be in time; the message says what happened instead. */
export class TestTimeoutError extends AshlarError {
  static override readonly code: string = 'ASHLAR_QUEUE_TEST_TIMEOUT';
}
