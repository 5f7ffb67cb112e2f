/** What is shown of a demonstration in virtual time. */
export interface Simulation {
  advance(ms: number): Promise<void>;
}

/** The steps of a simulation, one after another. */
export class Steps {
  readonly #simulation: Simulation;
  readonly #shown: () => void;
  #owedMs = 0;
  #isBusy = false;

  /** @param shown called after each step */
  constructor(simulation: Simulation, shown: () => void) {
    this.#simulation = simulation;
    this.#shown = shown;
  }

  /** The time of the page goes on. It waits for a step that is under way: on a slow machine, virtual time is slower too. */
  tick(ms: number): void {
    if (!this.#isBusy) void this.advance(ms);
  }

  /** Moves on, also when a step is under way: then behind it. With 0, shows what has changed. */
  async advance(ms: number): Promise<void> {
    this.#owedMs += ms;
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      do {
        const stepMs = this.#owedMs;
        this.#owedMs = 0;
        await this.#simulation.advance(stepMs);
        this.#shown();
      } while (this.#owedMs > 0);
    } finally {
      this.#isBusy = false;
    }
  }
}
