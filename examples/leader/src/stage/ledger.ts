import type { Happening } from './contender.ts';

/** The writes with one token. */
export interface Term {
  readonly token: bigint;
  readonly contender: number;
  /** From the last write of the term before to the first of this one, as this process heard of them. */
  readonly gapMs: number | undefined;
  readonly first: number;
  last: number;
  lastAt: number;
  writes: number;
  /** What was done to its process since its last write. */
  cause: 'killed' | 'stopped' | undefined;
}

/** Knows every write that was acknowledged, and finds out whether the counter ever went back. */
export class Ledger {
  readonly #terms = new Map<bigint, Term>();
  acknowledged = 0;
  refused = 0;
  /** A write, or a look at the counter, that gave no more than an earlier one must have left. */
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

  hear(contender: number, happening: Happening): void {
    if (happening.told === 'refused') this.refused++;
    if (happening.told === 'wrote') this.#wrote(contender, happening.token, happening.count);
    if (happening.told === 'killed' || happening.told === 'stopped') {
      if (this.term?.contender === contender) this.term.cause = happening.told;
    }
  }

  /** Somebody looked; `floor` is what `highest` was before. */
  saw(count: number, floor: number): void {
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
