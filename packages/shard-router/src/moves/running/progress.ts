import type { Clock } from '@ashlar/core';
import { channels } from '../../diagnostics.ts';
import type { MoveStep } from '../../map/moving.ts';
import type { MoveEvent } from '../events.ts';

/** What a run has to say: to the channel, and to whoever iterates, who gets the latest of each step. */
export class Progress {
  readonly #router: string;
  readonly #move: string;
  readonly #clock: Clock;
  #pending: MoveEvent[] = [];
  #wake: (() => void) | undefined;
  #isOver = false;
  #step: MoveStep = 'prepare';
  /** What was there already when this run began to count, and when. */
  #first: { readonly rows: number; readonly at: number } | undefined;

  constructor(router: string, move: string, clock: Clock) {
    this.#router = router;
    this.#move = move;
    this.#clock = clock;
  }

  step(step: MoveStep, more: Partial<MoveEvent> = {}): void {
    this.#step = step;
    this.#first = undefined;
    this.tell(more, true);
  }

  copied({ rows, ofRows }: { readonly rows: number; readonly ofRows?: number }): void {
    // Fewer than before: of another table
    if (this.#first === undefined || rows < this.#first.rows) this.#first = { rows, at: this.#clock.now() };
    const seconds = (this.#clock.now() - this.#first.at) / 1_000;
    const rate = seconds > 0 ? (rows - this.#first.rows) / seconds : undefined;
    this.tell({
      rows,
      ...(ofRows !== undefined && { ofRows }),
      ...(rate !== undefined && { rowsPerSecond: rate }),
      ...(rate !== undefined &&
        ofRows !== undefined &&
        rate > 0 && { etaMs: (1_000 * (ofRows - rows)) / rate }),
    });
  }

  tell(more: Partial<MoveEvent>, isNew = false): void {
    const event: MoveEvent = { ...more, move: this.#move, step: this.#step };
    if (channels.move.hasSubscribers) channels.move.publish({ router: this.#router, ...event });
    // A slow reader misses how far a step was, and no step
    if (!isNew && this.#pending.length > 1) this.#pending.pop();
    if (this.#pending.length >= 1_000) this.#pending.shift();
    this.#pending.push(event);
    this.#wake?.();
  }

  end(): void {
    this.#isOver = true;
    this.#wake?.();
  }

  async *events(): AsyncGenerator<MoveEvent> {
    for (;;) {
      const event = this.#pending.shift();
      if (event !== undefined) yield event;
      else if (this.#isOver) return;
      else {
        await new Promise<void>(resolve => {
          this.#wake = resolve;
        });
      }
    }
  }
}
