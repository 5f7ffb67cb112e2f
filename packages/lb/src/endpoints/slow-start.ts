import type { Endpoint } from '../endpoint.ts';
import type { Member } from './member.ts';

const steps = 10;

/**
 * Gives endpoints that join later, or come back, a tenth of their weight, and the rest in equal steps over the window:
 * Envoy's slow start with an aggression of 1 and a least weight of 10 percent. No timers: a pick
 * compares `dueAt` with the time. However many endpoints are in it, at most ten steps are due in a window.
 */
export class SlowStart<E extends Endpoint> {
  readonly #windowMs: number;
  readonly #stepMs: number;
  #dueAt = Infinity;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
    this.#stepMs = windowMs / steps;
  }

  /** When weights are to be set again. */
  get dueAt(): number {
    return this.#dueAt;
  }

  /** Sets the weights as they should be now. */
  refresh(members: Iterable<Member<E>>, now: number): void {
    this.#dueAt = Infinity;
    for (const member of members) {
      const part = this.#part(member, now);
      member.weight = member.fullWeight * part;
      if (part === 1) continue;
      const nextStepAt = member.startedAt + this.#stepMs * (Math.round(part * steps) + 1);
      this.#dueAt = Math.min(this.#dueAt, Math.max(now + this.#stepMs, nextStepAt));
    }
  }

  /** Sets the weights as they are at the start of a slow start. */
  reset(members: readonly Member<E>[]): void {
    for (const member of members) member.weight = member.fullWeight / steps;
  }

  #part({ startedAt }: Member<E>, now: number): number {
    if (now - startedAt >= this.#windowMs) return 1;
    // What is within rounding of a step has made it
    const stepsDone = Math.floor((now - startedAt) / this.#stepMs + 1e-6);
    return Math.max(1, Math.min(steps, stepsDone)) / steps;
  }
}
