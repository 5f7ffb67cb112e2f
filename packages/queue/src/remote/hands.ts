import type { Delivery } from '../driver.ts';

interface Given {
  readonly delivery: Delivery;
  /** When its lease ends, as far as is known here. */
  endsAt: number;
  /** Whoever gave it is told when it is no longer in hands. */
  readonly dropped: (() => void) | undefined;
}

/** A delivery that has a number of its own. */
interface Numbered extends Delivery {
  readonly receipt?: number;
  /** Whether the driver counts it as in hands, where it says so. */
  readonly isHeld?: boolean;
}

/** What a delivery is about. */
export type Of = readonly [topic: string, group: string, id: string];
/** Finds a delivery of the driver by its token, which another channel was given. */
export type Find = (token: string, topic: string, group: string) => Delivery | undefined;

/** The deliveries in the hands of the other side, by their tokens. */
export class Hands {
  readonly #leaseMs: number;
  readonly #find: Find;
  readonly #given = new Map<string, Given>();
  #last = 0;
  #sweepAt = 1_000;

  constructor(leaseMs: number, find: Find) {
    this.#leaseMs = leaseMs;
    this.#find = find;
  }

  get(token: string, topic: string, group: string): Delivery | undefined {
    return this.#given.get(token)?.delivery ?? this.#find(token, topic, group);
  }

  /** The token of the delivery. */
  give(delivery: Delivery, dropped?: () => void): string {
    const token = `${(delivery as Numbered).receipt ?? ++this.#last}`;
    this.#given.set(token, { delivery, endsAt: performance.now() + this.#leaseMs, dropped });
    if (this.#given.size >= this.#sweepAt) this.#sweep();
    return token;
  }

  endsAt(token: string): number {
    return this.#given.get(token)?.endsAt ?? -Infinity;
  }

  /** Whether the driver has taken it back, as far as is known here. */
  isOver(token: string): boolean {
    const { isHeld } = (this.#given.get(token)?.delivery ?? {}) as Numbered;
    return isHeld === undefined ? this.endsAt(token) <= performance.now() : !isHeld;
  }

  extend(token: string, ms: number): void {
    const given = this.#given.get(token);
    if (given !== undefined) given.endsAt = performance.now() + ms;
  }

  drop(token: string): void {
    const given = this.#given.get(token);
    this.#given.delete(token);
    given?.dropped?.();
  }

  /** Forgets what nobody has settled in time, as the driver has. */
  #sweep(): void {
    const now = performance.now();
    for (const [token, { endsAt }] of this.#given) {
      if (endsAt + this.#leaseMs < now) this.drop(token);
    }
    this.#sweepAt = 2 * this.#given.size + 1_000;
  }
}
