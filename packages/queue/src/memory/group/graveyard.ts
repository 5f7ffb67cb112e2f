import type { DeadLetter, DeadLetterPage, DeadLetterSelection } from '../../dead-letters.ts';

/** The dead letters of a group, oldest first; at most so many, the oldest go. */
export class Graveyard {
  readonly #max: number;
  readonly #letters = new Map<string, DeadLetter>();

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#letters.size;
  }

  get(id: string): DeadLetter | undefined {
    return this.#letters.get(id);
  }

  add(letter: DeadLetter): void {
    this.#letters.delete(letter.id);
    this.#letters.set(letter.id, letter);
    for (const oldest of this.#letters.keys()) {
      if (this.#letters.size <= this.#max) break;
      this.#letters.delete(oldest);
    }
  }

  all(): IterableIterator<DeadLetter> {
    return this.#letters.values();
  }

  page({ limit, after }: DeadLetterPage): DeadLetter[] {
    const letters = [...this.#letters.values()];
    const start = after === undefined ? 0 : letters.findIndex(({ id }) => id === after) + 1;
    return letters.slice(start, start + limit);
  }

  take({ ids, limit = Infinity }: DeadLetterSelection): DeadLetter[] {
    const named = ids && [...new Set(ids)].flatMap(id => this.#letters.get(id) ?? []);
    const letters = named ?? [...this.#letters.values()];
    const taken = letters.slice(0, limit);
    for (const { id } of taken) this.#letters.delete(id);
    return taken;
  }
}
