import type { Clock } from '@ashlar/core';
import type { Scope } from '@ashlar/replica-failover/executor';

/** The time of one call, over its attempts. */
export class Limit {
  readonly #scope: Scope;
  readonly #clock: Clock;
  readonly #endsAt: number;
  #holdsUntil: number | undefined;

  constructor(scope: Scope, clock: Clock) {
    this.#scope = scope;
    this.#clock = clock;
    this.#endsAt = clock.now() + (scope.timeoutMs ?? Infinity);
  }

  /** The scope of the next attempt. */
  left<S extends Scope>(): S {
    if (this.#scope.timeoutMs === undefined) return this.#scope as S;
    return { ...this.#scope, timeoutMs: Math.max(1, this.#endsAt - this.#clock.now()) } as S;
  }

  /** Until when the call may be held, which it is for `holdMs` in all. */
  heldUntil(holdMs: number): number {
    this.#holdsUntil ??= this.#clock.now() + holdMs;
    return Math.min(this.#holdsUntil, this.#endsAt);
  }
}
