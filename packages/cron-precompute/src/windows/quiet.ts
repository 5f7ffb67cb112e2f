import type { Zone } from '../schedule/zone.ts';
import { type LoadWeek, quietSlots, slotAt } from './week.ts';
import type { WorkWindow } from './window.ts';

export interface QuietWindowOptions {
  readonly zone: Zone;
  /** How many half hours of each day. */
  readonly slots: number;
  /** The window until a week is known. */
  readonly until: WorkWindow;
  week(): LoadWeek;
  refresh(): Promise<void>;
}

/** Offsets of zones are multiples of it, so half hours of every zone begin at one. */
const stepMs = 900_000;
/** A day has an opening, and in a week something changes. */
const maxSteps = 8 * 96;

/** The quiet hours of each day, as they are known when it is asked. */
export class QuietWindow implements WorkWindow {
  readonly #options: QuietWindowOptions;
  #week: LoadWeek | undefined;
  #quiet: ReadonlySet<number> | undefined;

  constructor(options: QuietWindowOptions) {
    this.#options = options;
  }

  refresh(): Promise<void> {
    return this.#options.refresh();
  }

  isOpen(ms: number): boolean {
    const quiet = this.#slots();
    return quiet === undefined
      ? this.#options.until.isOpen(ms)
      : quiet.has(slotAt(ms, this.#options.zone).slot);
  }

  opensAt(ms: number): number {
    return this.#slots() === undefined ? this.#options.until.opensAt(ms) : this.#next(ms, true);
  }

  closesAt(ms: number): number {
    return this.#slots() === undefined ? this.#options.until.closesAt(ms) : this.#next(ms, false);
  }

  /** The next time after this one at which it becomes open, or closed. When it never does, a time to ask again. */
  #next(ms: number, isOpen: boolean): number {
    let at = (Math.floor(ms / stepMs) + 1) * stepMs;
    let was = this.isOpen(at - stepMs);
    for (let steps = 0; steps < maxSteps; steps++, at += stepMs) {
      const is = this.isOpen(at);
      if (is === isOpen && was !== isOpen) return at;
      was = is;
    }
    return at;
  }

  #slots(): ReadonlySet<number> | undefined {
    const week = this.#options.week();
    if (week !== this.#week) {
      this.#week = week;
      this.#quiet = quietSlots(week, this.#options.slots);
    }
    return this.#quiet;
  }
}
