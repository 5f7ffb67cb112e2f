import type { Position } from '../session.ts';

interface Step {
  readonly position: Position;
  /** When the primary was asked: what it had acknowledged by then is part of the position. */
  readonly askedAt: number;
}

const maxSteps = 512;

/**
 * Where the primary was, and when, by this process's monotonic clock. A replica that has come as far as a step has every
 * write that was acknowledged before it. So an idle primary is no lag, and no two clocks are compared.
 */
export class Trail {
  #steps: Step[] = [];

  /** What was added last may come again. */
  add(position: Position, askedAt: number): void {
    if (this.#steps.at(-1)?.askedAt === askedAt) return;
    this.#steps.push({ position, askedAt });
    if (this.#steps.length <= maxSteps) return;
    // Every second one of the older half: far back, the bound gets coarser, and stays true
    const half = maxSteps / 2;
    this.#steps = this.#steps.filter((_, index) => index >= half || index % 2 === 1);
  }

  /** How old, at most, the oldest write is that such a reader misses, in milliseconds; `Infinity` when that is unknown. */
  stalenessMs(reaches: (position: Position) => boolean, now: number): number {
    const last = this.#steps.findLast(step => reaches(step.position));
    return last === undefined ? Infinity : now - last.askedAt;
  }
}
