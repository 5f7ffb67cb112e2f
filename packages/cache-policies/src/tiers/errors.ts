import { AshlarError, type CallOutcome } from '@ashlar/core';

/** The tier could not be reached, refused, or did not answer in time; the `cause` says how. */
export class TierUnavailableError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_POLICIES_TIER_UNAVAILABLE';
  static override readonly retryable: boolean = true;
  readonly outcome: CallOutcome;

  constructor(message: string, outcome: CallOutcome, options?: ErrorOptions) {
    super(message, options);
    this.outcome = outcome;
  }
}

/** The server does not know or allow a command that the tier's options need: every operation is refused until it does. */
export class TierUnfitError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_POLICIES_TIER_UNFIT';
  readonly outcome: CallOutcome = 'NotExecuted';
}

/** The session was closed, before or during the call. */
export class TierClosedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CACHE_POLICIES_TIER_CLOSED';
  readonly outcome: CallOutcome;

  constructor(tier: string, outcome: CallOutcome = 'NotExecuted') {
    super(`the session with the tier ${JSON.stringify(tier)} is closed`);
    this.outcome = outcome;
  }
}
