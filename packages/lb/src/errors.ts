import { AshlarError, type CallOutcome, describe } from '@ashlar/core';

/** No endpoint could take the request. Nothing was sent. */
export class NoEndpointError extends AshlarError {
  static override readonly code: string = 'ASHLAR_LB_NO_ENDPOINT';
  static override readonly retryable: boolean = true;
  readonly outcome: CallOutcome = 'NotExecuted';
  /**
   * - `empty`: there are no endpoints, or all are drained
   * - `undiscovered`: discovery has not delivered a usable set; its error is the `cause`
   * - `unhealthy`: none is healthy, and there is no panic threshold
   * - `excluded`: all are excluded or being probed
   * - `full`: all others are at their limit, and the request may not wait
   * - `waited`: all others stayed at their limit for as long as the request could wait
   */
  readonly reason: 'empty' | 'undiscovered' | 'unhealthy' | 'excluded' | 'full' | 'waited';

  constructor(balancer: string, reason: NoEndpointError['reason'], options?: ErrorOptions) {
    super(`${balancer} has no endpoint for the request: ${reasons[reason]}`, options);
    this.reason = reason;
  }
}

const reasons = {
  empty: 'there are none, or all have weight 0 or are drained',
  undiscovered: 'discovery has not delivered a usable set',
  unhealthy: 'none is healthy',
  excluded: 'all that could take one are excluded or being probed',
  full: 'all are at their limit, and it cannot wait for one',
  waited: 'all were at their limit for as long as it could wait',
};

/** The time limit was exceeded. `outcome` is `Unknown` when an endpoint has the request and has not answered. */
export class DeadlineError extends AshlarError {
  static override readonly code: string = 'ASHLAR_LB_DEADLINE';
  static override readonly retryable: boolean = true;
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
  static override readonly code: string = 'ASHLAR_LB_CLOSED';
  readonly outcome: CallOutcome;

  constructor(balancer: string, outcome: CallOutcome) {
    super(`${balancer} is closed`);
    this.outcome = outcome;
  }
}

/** An ill-formed endpoint. */
export class InvalidEndpointError extends AshlarError {
  static override readonly code: string = 'ASHLAR_LB_INVALID_ENDPOINT';
  /** Its position in the list. */
  readonly index: number;

  constructor(index: number, message: string) {
    super(`endpoint ${index} ${message}`);
    this.index = index;
  }
}

/** A list names an endpoint twice. */
export class DuplicateEndpointError extends AshlarError {
  static override readonly code: string = 'ASHLAR_LB_DUPLICATE_ENDPOINT';
  readonly id: string;

  constructor(id: string) {
    super(`endpoint ${describe(id)} is listed twice; ids are unique within a balancer`);
    this.id = id;
  }
}

/** Discovery delivered an unusable set, with the reason as the `cause`, or ended without a set. */
export class DiscoveryError extends AshlarError {
  static override readonly code: string = 'ASHLAR_LB_DISCOVERY';
  static override readonly retryable: boolean = true;
}

/** A policy picked a candidate that it was not offered. */
export class PolicyError extends AshlarError {
  static override readonly code: string = 'ASHLAR_LB_POLICY';
}

/** `undrain` was called while `drain` waited. */
export class DrainTakenBackError extends AshlarError {
  static override readonly code: string = 'ASHLAR_LB_DRAIN_TAKEN_BACK';
  readonly id: string;

  constructor(id: string) {
    super(`the drain of endpoint ${describe(id)} was taken back`);
    this.id = id;
  }
}
