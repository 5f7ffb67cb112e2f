import type { Endpoint } from '../endpoint.ts';
import type { Member } from './member.ts';

const steps = 10;

/**
 * Gives endpoints that join later, or come back, a tenth of their weight, and the rest in equal steps over the window:
 * Envoy's slow start with an aggression of 1 and a least weight of 10 percent. No timers: a pick compares `dueAt` with the
 * time. A window has at most ten steps, for any number of endpoints.
 */
export class SlowStart<E extends Endpoint> {
  readonly #windowMs: number;
  readonly #stepMs: number;
  #dueAt = Infinity;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
    this.#stepMs = windowMs / steps;
  }

  /** When weights change next. */
  get dueAt(): number {
    return this.#dueAt;
  }

  /** Sets the current weights. */
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

  /** Sets the weights of the start of a slow start. */
  reset(members: readonly Member<E>[]): void {
    for (const member of members) member.weight = member.fullWeight / steps;
  }

  #part({ startedAt }: Member<E>, now: number): number {
    if (now - startedAt >= this.#windowMs) return 1;
    // Within rounding of a step, the step is done
    const stepsDone = Math.floor((now - startedAt) / this.#stepMs + 1e-6);
    return Math.max(1, Math.min(steps, stepsDone)) / steps;
  }
}
