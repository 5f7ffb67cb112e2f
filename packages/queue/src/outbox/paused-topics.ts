import { Backoff, type Clock, type Random } from '@ashlar/core';

/** Between tries of a topic whose messages the driver cannot take for the time being. */
const again = { firstMs: 100, maxMs: 1_000 };

interface Pause {
  readonly backoff: Backoff;
  readonly error: Error;
  readonly endsAt: number;
}

/**
 * Topics that wait, as the driver is away or full. Kept here and not in the rows: an outage with a long backlog writes
 * nothing, and holds up no other topic.
 */
export class PausedTopics {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #pauses = new Map<string, Pause>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Why the first of them waits, or last did. */
  get error(): Error | undefined {
    return this.#pauses.values().next().value?.error;
  }

  /** Those that wait now. */
  get names(): string[] {
    const now = this.#clock.now();
    return [...this.#pauses].filter(([, { endsAt }]) => endsAt > now).map(([topic]) => topic);
  }

  /** Milliseconds until the first may be tried again. */
  get leftMs(): number {
    const ends = [...this.#pauses.values()].map(({ endsAt }) => endsAt - this.#clock.now());
    return Math.min(...ends.filter(ms => ms > 0));
  }

  failed(topic: string, error: Error): void {
    const backoff = this.#pauses.get(topic)?.backoff ?? new Backoff(again, this.#random);
    this.#pauses.set(topic, { backoff, error, endsAt: this.#clock.now() + backoff.nextMs() });
  }

  succeeded(topic: string): void {
    this.#pauses.delete(topic);
  }

  clear(): void {
    this.#pauses.clear();
  }
}
