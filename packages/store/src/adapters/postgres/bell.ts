/**
 * Wakes those who watch, after a write. What is written while it rings is rung for once, so that many writes cost few
 * notifications. When one is lost, those who watch notice with their next beat.
 */
export class Bell {
  readonly #pull: () => Promise<unknown>;
  #isRinging = false;
  #again = false;

  constructor(pull: () => Promise<unknown>) {
    this.#pull = pull;
  }

  ring(): void {
    this.#again = true;
    if (!this.#isRinging) void this.#ringOn();
  }

  async #ringOn(): Promise<void> {
    this.#isRinging = true;
    while (this.#again) {
      this.#again = false;
      await this.#pull().catch(() => {});
    }
    this.#isRinging = false;
  }
}
