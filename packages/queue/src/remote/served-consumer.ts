import { backgroundClock } from '@ashlar/core';
import type { Delivery } from '../driver.ts';
import type { Hands } from './hands.ts';

export interface ServedConsumerParts {
  readonly prefetch: number;
  readonly hands: Hands;
  /** What the consumer has in hands from before. */
  readonly holds: readonly (readonly [token: string, delivery: Delivery])[];
  open(signal: AbortSignal): AsyncIterable<Delivery>;
  given(token: string, delivery: Delivery): void;
  left(error?: unknown): void;
  /** Whether the other side keeps up with what it is given. */
  hasRoom(): boolean;
  /** When the other side has last said that it has what it was given, by `performance.now()`. */
  heardAt(): number;
}

/** How often it is looked at whether the other side keeps up, and is there, again. */
const roomMs = 20;

/** One consumer of the driver, for somebody afar: together with what that has from before, it claims no more than `prefetch`. */
export class ServedConsumer {
  readonly #parts: ServedConsumerParts;
  readonly #stop = new AbortController();
  /** What it holds from before, and what it was given. */
  readonly #old = new Set<string>();
  readonly #open = new Set<string>();
  #freed: (() => void) | undefined;
  /** When the last of its leases ended that nobody has settled. */
  #lostAt = -Infinity;
  #isAbandoned = false;

  constructor(parts: ServedConsumerParts) {
    this.#parts = parts;
    const { hands, holds } = parts;
    for (const [token, delivery] of holds) {
      this.#old.add(token);
      hands.give(delivery, () => this.#dropped(token));
    }
    void this.#run();
  }

  leave(): void {
    this.#stop.abort();
    this.#freed?.();
  }

  /** Nobody listens any more. */
  abandon(): void {
    this.#isAbandoned = true;
    this.leave();
  }

  async #run(): Promise<void> {
    const { open, left } = this.#parts;
    try {
      const deliveries = open(this.#stop.signal)[Symbol.asyncIterator]();
      try {
        for (;;) {
          await this.#place();
          const { done, value } = await deliveries.next();
          if (done === true) break;
          this.#give(value);
        }
      } finally {
        await deliveries.return?.();
      }
      if (!this.#isAbandoned) left();
    } catch (error) {
      if (!this.#isAbandoned) left(error);
    }
  }

  #give(delivery: Delivery): void {
    if (this.#isAbandoned || this.#isSilent()) {
      delivery.nack({ charge: false }).catch(() => {}); // Then its lease ends
      return;
    }
    const token: string = this.#parts.hands.give(delivery, () => this.#dropped(token));
    this.#open.add(token);
    this.#parts.given(token, delivery);
  }

  #dropped(token: string): void {
    this.#old.delete(token);
    this.#open.delete(token);
    this.#freed?.();
  }

  /**
   * Whether one of its leases has ended since the other side was heard: that may be gone, or hear nothing, and what it were
   * given would count as delivered and wait for another lease to end.
   */
  #isSilent(): boolean {
    const heardAt = this.#parts.heardAt();
    const now = performance.now();
    if (now - heardAt < roomMs) return false;
    this.#forgetLost(now);
    return heardAt < this.#lostAt;
  }

  #forgetLost(now: number): void {
    const { hands } = this.#parts;
    for (const token of [...this.#old, ...this.#open]) {
      if (!hands.isOver(token)) continue;
      this.#lostAt = Math.max(this.#lostAt, Math.min(hands.endsAt(token), now));
      this.#dropped(token);
    }
  }

  /** The driver counts what it gave to this consumer; what that had before is counted here. */
  async #place(): Promise<void> {
    const { prefetch, hasRoom } = this.#parts;
    const { signal } = this.#stop;
    while ((!hasRoom() || this.#isSilent()) && !signal.aborted)
      await backgroundClock.sleep(roomMs, signal).catch(() => {});
    while (this.#old.size > 0 && !signal.aborted) {
      this.#forgetLost(performance.now());
      if (this.#old.size + this.#open.size < prefetch) return;
      const wake = new AbortController();
      this.#freed = () => wake.abort();
      await backgroundClock.sleep(500, wake.signal).catch(() => {});
      this.#freed = undefined;
    }
  }
}
