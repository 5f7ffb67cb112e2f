/** A row that a transaction of this process has written. */
export interface WrittenRow {
  /** The message's id. */
  readonly name: string;
  readonly lane: number;
}

/** How long a transaction that has written is waited for in its lanes alone, at least. */
const patienceMs = 1_000;
/** How many rows at most are waited for so. */
const mostRows = 1_000;
/** For so long after a wake that tells of no rows, all lanes are looked at, though there are rows that are waited for. */
const askedMs = 500;

/**
 * What transactions of this process have written and may commit at any time: a look for that need not go through all
 * lanes. A hint only, and never a reason to leave out a lane for longer than `pollMs`.
 */
export class ExpectedRows {
  /** By their ids, the oldest first. */
  readonly #rows = new Map<string, { readonly lane: number; readonly until: number }>();
  /** Until then there are probably rows in any lane, and until then there may be. */
  #anyUntil = -Infinity;
  #maybeUntil = -Infinity;
  readonly #longestMs: number;

  /** @param pollMs the longest pause between looks: those get rarer until then */
  constructor(pollMs: number) {
    this.#longestMs = 2 * pollMs;
  }

  /** @param written undefined when nothing is known of what there may be */
  expect(written: readonly WrittenRow[] | undefined, now: number): void {
    if (written === undefined || this.#rows.size + written.length > mostRows) {
      this.#anyUntil = now + askedMs;
      this.#maybeUntil = now + Math.max(askedMs, this.#longestMs);
      return;
    }
    const until = now + Math.max(patienceMs, this.#longestMs);
    for (const { name, lane } of written) {
      this.#rows.delete(name);
      this.#rows.set(name, { lane, until });
    }
  }

  /** A row was read, of whomever; whether it was waited for. */
  read(name: string): boolean {
    return this.#rows.delete(name);
  }

  /** Whether rows may be there soon. */
  isAwaiting(now: number): boolean {
    this.#forget(now);
    return this.#rows.size > 0 || now < this.#maybeUntil;
  }

  /**
   * Where to look; undefined for everywhere.
   *
   * @param others where else there are rows; undefined when that is not known
   */
  lanes(now: number, others: ReadonlySet<number> | undefined): ReadonlySet<number> | undefined {
    this.#forget(now);
    if (others === undefined && (this.#rows.size === 0 || now < this.#anyUntil)) return undefined;
    return new Set([...(others ?? []), ...[...this.#rows.values()].map(({ lane }) => lane)]);
  }

  #forget(now: number): void {
    for (const [name, { until }] of this.#rows) {
      if (until > now) return;
      this.#rows.delete(name);
    }
  }
}
