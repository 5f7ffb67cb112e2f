import { Horizon, type Look } from '../../../transactions/horizon.ts';

/** What a look answers. */
export interface Looked extends Look {
  /** When it was, by the server's clock, as are the others. */
  readonly looked: string;
  readonly due: string;
  readonly leases: string;
  readonly expiring: string;
}

/** How often all delays and leases are looked through: the server's clock may have been set back. */
const fullMs = 60_000;
/** The same of what expires, as a message may come back from its handler after its time. */
const fullExpiringMs = 5_000;

const all = '-infinity';

/**
 * The times that a look at due rows begins at. No row is due before, now or ever: a row gets its time from the server's
 * clock, so what is not seen yet is not before a look whose transactions are all over.
 */
export class DueFloors {
  #due = all;
  #leases = all;
  #expiring = all;
  /** The last look that all transactions of are over. */
  readonly #horizon = new Horizon(all);
  #lookedMs = -Infinity;
  #fullAt = -Infinity;
  #fullExpiringAt = -Infinity;

  /** Of the next look: whether it may mark, and whether it is to ask for writers. */
  get looks(): readonly [marks: boolean, asks: boolean] {
    return [this.#horizon.marks(), this.#horizon.asks];
  }

  /** For the next look, in the order of its parameters. */
  next(now: number): readonly [due: string, leases: string, expiring: string, safe: string] {
    if (now >= this.#fullAt + fullMs) {
      this.#fullAt = now;
      this.#due = all;
      this.#leases = all;
    }
    if (now >= this.#fullExpiringAt + fullExpiringMs) {
      this.#fullExpiringAt = now;
      this.#expiring = all;
    }
    return [this.#due, this.#leases, this.#expiring, this.#horizon.safe];
  }

  /** From what a look has found. */
  learn(found: Looked): void {
    const { due, leases, expiring, looked } = found;
    const lookedMs = Date.parse(looked);
    const isSetBack = lookedMs < this.#lookedMs;
    this.#lookedMs = lookedMs;
    if (isSetBack) {
      this.#forget();
      return;
    }
    this.#due = due;
    this.#leases = leases;
    this.#expiring = expiring;
    this.#horizon.learn(found, looked);
  }

  /** The server's clock was set back: rows get times from before the floors. */
  #forget(): void {
    this.#due = all;
    this.#leases = all;
    this.#expiring = all;
    this.#horizon.forget();
  }
}
