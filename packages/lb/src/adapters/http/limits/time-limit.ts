/** Time enough to read what arrived meanwhile, also where a connection takes a few turns of the event loop. */
const graceMs = 10;

/**
 * Limits a wait for I/O. Timers come before I/O: where the event loop stood still, what arrived in time is read before the
 * time counts as over. Restarting it costs next to nothing, so that it may be done for each chunk of a body.
 */
export class TimeLimit<T> {
  readonly #owner: T;
  readonly #onOver: (owner: T) => void;
  #timer: NodeJS.Timeout | undefined;
  #timeoutMs = 0;
  #isDue = false;

  /** @param onOver is called with the owner, so that no closure is made for each limit */
  constructor(owner: T, onOver: (owner: T) => void) {
    this.#owner = owner;
    this.#onOver = onOver;
  }

  /** From now on, instead of what was limited before. */
  start(timeoutMs: number): void {
    if (this.#timer !== undefined && timeoutMs === this.#timeoutMs && !this.#isDue) {
      this.#timer.refresh();
      return;
    }
    this.stop();
    this.#timeoutMs = timeoutMs;
    this.#timer = setTimeout(TimeLimit.#due<T>, timeoutMs, this);
  }

  /** Begins anew, unless it is stopped or over. */
  restart(): void {
    if (this.#timer !== undefined) this.start(this.#timeoutMs);
  }

  stop(): void {
    this.#isDue = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  static #due<T>(limit: TimeLimit<T>): void {
    limit.#isDue = true;
    setImmediate(() => {
      if (limit.#isDue) limit.#timer = setTimeout(TimeLimit.#over<T>, graceMs, limit);
    });
  }

  static #over<T>(limit: TimeLimit<T>): void {
    limit.stop();
    limit.#onOver(limit.#owner);
  }
}
