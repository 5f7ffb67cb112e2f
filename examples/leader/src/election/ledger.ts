import type { ContenderEvent } from './contender.ts';

/** The writes with one token. */
export interface Term {
  readonly token: bigint;
  readonly contender: number;
  /** From the last write of the term before to the first of this one, as reported to this process. */
  readonly gapMs: number | undefined;
  readonly first: number;
  last: number;
  lastAt: number;
  writes: number;
  /** What was done to its process since its last write. */
  cause: 'killed' | 'stopped' | undefined;
}

/** Records every acknowledged write, and checks that the counter never goes back. */
export class Ledger {
  readonly #terms = new Map<bigint, Term>();
  acknowledged = 0;
  refused = 0;
  /** A write, or a read of the counter, that gave no more than an earlier one must have left. */
  wentBack = 0;
  #highest = 0;

  /** The terms in the order of their tokens, which is the one that counts: news of a write may come late. */
  get terms(): readonly Term[] {
    return [...this.#terms.values()].sort((a, b) => (a.token < b.token ? -1 : 1));
  }

  /** The newest term in which something was written. */
  get term(): Term | undefined {
    return this.terms.at(-1);
  }

  /** The highest that is known of. */
  get highest(): number {
    return this.#highest;
  }

  record(contender: number, event: ContenderEvent): void {
    if (event.type === 'refused') this.refused++;
    if (event.type === 'wrote') this.#wrote(contender, event.token, event.count);
    if (event.type === 'killed' || event.type === 'stopped') {
      if (this.term?.contender === contender) this.term.cause = event.type;
    }
  }

  /** The counter was read; `floor` is what `highest` was before. */
  recordRead(count: number, floor: number): void {
    if (count < floor) this.wentBack++;
    this.#highest = Math.max(this.#highest, count);
  }

  #wrote(contender: number, token: bigint, count: number): void {
    this.acknowledged++;
    this.#highest = Math.max(this.#highest, count);
    const at = performance.now();
    const term = this.#terms.get(token);
    const before = this.terms.findLast(other => other.token < token);
    const after = this.terms.find(other => other.token > token);
    const floor = term?.last ?? before?.last ?? 0;
    if (count <= floor || count >= (after?.first ?? Infinity)) this.wentBack++;
    if (term === undefined) {
      const gapMs = before && at - before.lastAt;
      this.#terms.set(token, {
        ...{ token, contender, gapMs, first: count, last: count },
        ...{ lastAt: at, writes: 1, cause: undefined },
      });
    } else {
      Object.assign(term, { last: count, lastAt: at, writes: term.writes + 1 });
    }
  }
}
