import type { Clock } from '@ashlar/core';
import type { Gate } from './gate.ts';

export interface PacerOptions {
  readonly gate: Gate | undefined;
  readonly clock: Clock;
  /** From this time of the clock on, nothing is slowed. */
  readonly deadlineAt: number;
  readonly signal: AbortSignal;
}

/** The longest pause before the load is looked at again, in milliseconds. */
const maxPauseMs = 200;
/** Work that is shorter is not worth a pause. */
const minWorkMs = 5;

/** Paces one run: after each stretch of work, a pause that leaves the gate's share of the time. */
export class Pacer {
  readonly #options: PacerOptions;
  readonly #startedAt: number;
  #workedSince: number;
  #pausedMs = 0;
  #progress: { readonly done: number; readonly total: number } | undefined;

  constructor(options: PacerOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
    this.#workedSince = this.#startedAt;
  }

  /** So that what is left is known to fit before the deadline. */
  progress(done: number, total: number | undefined): void {
    this.#progress = total === undefined || done <= 0 ? undefined : { done, total };
  }

  /** Whether a turn may have to wait: work that was short goes on at once. */
  get isDue(): boolean {
    const { gate, clock } = this.#options;
    return gate !== undefined && clock.now() - this.#workedSince >= minWorkMs;
  }

  /** Resolves when work may go on, with the share of its time that it may use. Rejects with the signal's reason. */
  async turn(): Promise<number> {
    const { gate, clock, signal, deadlineAt } = this.#options;
    signal.throwIfAborted();
    if (gate === undefined) return 1;
    const beganAt = clock.now();
    const workedMs = beganAt - this.#workedSince;
    const leftMs = this.#leftMs(beganAt);
    let share = this.#share(beganAt, leftMs);
    let owedMs = share > 0 ? (workedMs * (1 - share)) / share : maxPauseMs;
    for (let now = beganAt; share < 1 && owedMs >= 1; ) {
      const pauseMs = Math.min(owedMs, maxPauseMs, Math.max(1, deadlineAt - leftMs - now));
      await clock.sleep(pauseMs, signal);
      now = clock.now();
      share = this.#share(now, leftMs);
      // A stopped run waits on; a slowed one owes what the share of now says, less what it has waited
      owedMs = share > 0 ? (workedMs * (1 - share)) / share - (now - beganAt) : maxPauseMs;
    }
    const endedAt = clock.now();
    this.#pausedMs += endedAt - beganAt;
    this.#workedSince = endedAt;
    return share;
  }

  #share(now: number, leftMs: number): number {
    const { gate, deadlineAt } = this.#options;
    if (now + leftMs >= deadlineAt) return 1;
    const share = gate!.share(now);
    return share >= 0 && share <= 1 ? share : 0; // A gate of one's own may say NaN
  }

  /** How long the rest takes at full speed. */
  #leftMs(now: number): number {
    if (this.#progress === undefined) return 0;
    const { done, total } = this.#progress;
    return ((now - this.#startedAt - this.#pausedMs) / done) * Math.max(0, total - done);
  }
}
