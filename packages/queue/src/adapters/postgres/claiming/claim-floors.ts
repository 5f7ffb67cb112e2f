/** What a look at the floors answers. */
export interface FoundFloors {
  readonly ready: readonly string[];
  readonly busy: string;
  /** All transactions before have ended, but those of `open`. */
  readonly bound: string;
  readonly open: readonly string[];
  readonly running: readonly string[];
  /** Another one when the server is. */
  readonly origin: string;
}

/**
 * Where claims begin to look, as numbers of transactions: no row is below, now or ever, but those of the transactions that
 * stay open, of which there are few, and whose rows are looked for one by one.
 */
export class ClaimFloors {
  #ready: readonly string[] = [];
  #busy = '0';
  #open: readonly string[] = [];
  #running: readonly string[] = [];
  #bound = 0n;
  #origin: string | undefined;

  constructor() {
    this.forget();
  }

  /** Of rows that are ready, for each priority. */
  get ready(): readonly string[] {
    return this.#ready;
  }

  /** Of rows with a key that are in hands or pause. */
  get busy(): string {
    return this.#busy;
  }

  get open(): readonly string[] {
    return this.#open;
  }

  /** For the next look, in the order of its parameters. */
  get known(): readonly unknown[] {
    return [this.#ready, this.#busy, this.#open, this.#running];
  }

  learn({ ready, busy, bound, open, running, origin }: FoundFloors): void {
    const isOther = (this.#origin !== undefined && origin !== this.#origin) || BigInt(bound) < this.#bound;
    if (isOther) {
      this.forget();
      return;
    }
    this.#ready = ready;
    this.#busy = busy;
    this.#open = open;
    this.#running = running;
    this.#bound = BigInt(bound);
    this.#origin = origin;
  }

  forget(): void {
    this.#ready = Array.from({ length: 10 }, () => '0');
    this.#busy = '0';
    this.#open = [];
    this.#running = [];
    this.#bound = 0n;
    this.#origin = undefined;
  }
}
