import type { CallOutcome } from '@ashlar/core';

/**
 * `taken`: by the primary of when it came. `waited`: for the next primary. `found`: the answer to its commit was lost, and the next primary has it. `again`: that
 * primary did not have it, so it was written there. `unknown`: nobody could find out. `refused`: it was not executed.
 */
export type Fate = 'taken' | 'waited' | 'found' | 'again' | 'unknown' | 'refused';

/** One order, and what the shop notices of its way: by the term of the primary in which each step was done. */
export class Order {
  readonly number: number;
  readonly product: string;
  fate: Fate = 'refused';
  /** From the customer's click to the answer, in milliseconds. */
  tookMs = 0;
  readonly #startMs = performance.now();
  readonly #begunIn: number;
  /** The term in which the last attempt had written it, and had only to commit. */
  #writtenIn: number | undefined;
  #wasWrittenBefore = false;

  /** @param term of the primary when it comes */
  constructor(number: number, product: string, term: number) {
    this.number = number;
    this.product = product;
    this.#begunIn = term;
  }

  get isTaken(): boolean {
    return this.fate !== 'unknown' && this.fate !== 'refused';
  }

  begins(): void {
    this.#wasWrittenBefore ||= this.#writtenIn !== undefined;
    this.#writtenIn = undefined;
  }

  isWritten(term: number): void {
    this.#writtenIn = term;
  }

  ends(term: number): void {
    this.#over();
    if (this.#writtenIn !== term) this.fate = 'found';
    else if (this.#wasWrittenBefore) this.fate = 'again';
    else this.fate = this.#begunIn === term ? 'taken' : 'waited';
  }

  fails(error: unknown): void {
    this.#over();
    const { outcome } = error as { readonly outcome?: CallOutcome };
    this.fate = outcome === 'Unknown' ? 'unknown' : 'refused';
  }

  #over(): void {
    this.tookMs = performance.now() - this.#startMs;
  }
}
