import { type Entry, fromJson, type Store, toJson } from '@ashlar/store';

/** Milliseconds for which what a process has seen counts, unless it says so again. */
const ttlMs = 2_000;

interface Report {
  readonly term: number;
  readonly primary: string;
}

/**
 * What other processes see: whoever finds the primary down says so in the store, until it is up again. Two processes
 * rarely share a broken network card.
 */
export class Observers {
  readonly #store: Store;
  readonly #prefix: string;
  readonly #own: string;
  #reportedAt = -Infinity;

  constructor(store: Store, prefix: string, process: string) {
    this.#store = store;
    this.#prefix = `${prefix}observer:`;
    this.#own = `${this.#prefix}${process}`;
  }

  /** Says that the primary of this term is down; once in a while is enough. */
  async report(report: Report, now: number): Promise<void> {
    if (now - this.#reportedAt < ttlMs / 4) return;
    this.#reportedAt = now;
    try {
      await this.#store.set(this.#own, toJson(report), { ttlMs });
    } catch (error) {
      this.#reportedAt = -Infinity;
      throw error;
    }
  }

  /** How many others say so too. */
  others({ term, primary }: Report, entries: ReadonlyMap<string, Entry>): number {
    let count = 0;
    for (const [key, entry] of entries) {
      if (!key.startsWith(this.#prefix) || key === this.#own) continue;
      const { value } = fromJson<Report>(entry);
      if (value.term === term && value.primary === primary) count++;
    }
    return count;
  }
}
