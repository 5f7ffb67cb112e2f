import { AshlarError, type CallOutcome, describe } from '@ashlar/core';

/** There was no endpoint to give the request to. Nothing was sent. */
export class NoEndpointError extends AshlarError {
  static override readonly code: string = 'ASHLAR_NO_ENDPOINT';
  readonly outcome: CallOutcome = 'NotExecuted';
  /**
   * `empty`: there are no endpoints, or all are drained; `undiscovered`: discovery has not given a set, its error is the
   * `cause`; `unhealthy`: none is healthy, and there is no panic threshold; `excluded`: there are some, but all are
   * excluded or being probed; `full`: those that are not are at their limit, and it may not wait for one; `waited`: and so
   * they were for as long as it could wait.
   */
  readonly reason: 'empty' | 'undiscovered' | 'unhealthy' | 'excluded' | 'full' | 'waited';

  constructor(balancer: string, reason: NoEndpointError['reason'], options?: ErrorOptions) {
    super(`${balancer} has no endpoint for the request: ${reasons[reason]}`, options);
    this.reason = reason;
  }
}

const reasons = {
  empty: 'there are none, or all have weight 0 or are drained',
  undiscovered: 'discovery has not given a usable set',
  unhealthy: 'none is healthy',
  excluded: 'all that could take one are excluded or being probed',
  full: 'all are at their limit, and it cannot wait for one',
  waited: 'all were at their limit for as long as it could wait',
};

/** The time that was given is over. `outcome` is `Unknown` when an endpoint was asked and has not answered. */
export class DeadlineError extends AshlarError {
  static override readonly code: string = 'ASHLAR_DEADLINE';
  readonly timeoutMs: number;
  readonly outcome: CallOutcome;

  constructor(what: string, timeoutMs: number, outcome: CallOutcome) {
    super(`${what} took longer than ${timeoutMs} ms`);
    this.timeoutMs = timeoutMs;
    this.outcome = outcome;
  }
}

/** The balancer was closed, before or during the call. */
export class ClosedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CLOSED';
  readonly outcome: CallOutcome;

  constructor(balancer: string, outcome: CallOutcome) {
    super(`${balancer} is closed`);
    this.outcome = outcome;
  }
}

/** An endpoint that cannot be one. */
export class InvalidEndpointError extends AshlarError {
  static override readonly code: string = 'ASHLAR_INVALID_ENDPOINT';
  /** Its position in the list. */
  readonly index: number;

  constructor(index: number, message: string) {
    super(`endpoint ${index} ${message}`);
    this.index = index;
  }
}

/** An endpoint was given twice. */
export class DuplicateEndpointError extends AshlarError {
  static override readonly code: string = 'ASHLAR_DUPLICATE_ENDPOINT';
  readonly id: string;

  constructor(id: string) {
    super(`endpoint ${describe(id)} is listed twice; ids are unique within a balancer`);
    this.id = id;
  }
}

/** Discovery gave a set that cannot be used, the reason being the `cause`, or ended without one. */
export class DiscoveryError extends AshlarError {
  static override readonly code: string = 'ASHLAR_DISCOVERY';
}

/** A policy picked what it was not offered. */
export class PolicyError extends AshlarError {
  static override readonly code: string = 'ASHLAR_POLICY';
}

/** The endpoint was given back to use while something waited for it to be drained. */
export class DrainTakenBackError extends AshlarError {
  static override readonly code: string = 'ASHLAR_DRAIN_TAKEN_BACK';
  readonly id: string;

  constructor(id: string) {
    super(`the drain of endpoint ${describe(id)} was taken back`);
    this.id = id;
  }
}
