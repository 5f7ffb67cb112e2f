import { type Entry, fromJson, type Store, toJson } from '@ashlar/store';

/** Milliseconds for which the word of a process counts that says nothing more. */
const ttlMs = 5_000;

/**
 * `here`: it knows that the primary is about to change, and will say more. `draining`: no new writes begin here, and some go
 * on. `drained`: none does.
 */
type State = 'here' | 'draining' | 'drained';

interface Word {
  readonly term: number;
  readonly state: State;
}

/** How far the other processes are with the writes that were begun before a planned change: each says so in the store. */
export class Drains {
  readonly #store: Store;
  readonly #prefix: string;
  readonly #own: string;
  readonly #entries: () => ReadonlyMap<string, Entry>;

  /** @param entries of the store, as they are now */
  constructor(store: Store, prefix: string, process: string, entries: () => ReadonlyMap<string, Entry>) {
    this.#store = store;
    this.#prefix = `${prefix}drain:`;
    this.#own = `${this.#prefix}${process}`;
    this.#entries = entries;
  }

  /** Says that this process takes part, so that whoever changes the primary waits for its next word. */
  announce(term: number): Promise<void> {
    return this.#say({ term, state: 'here' });
  }

  /** Says whether writes go on here, until they do not. */
  async report(term: number, drained: Promise<void>): Promise<void> {
    let isOver = false;
    const over = drained.then(() => {
      isOver = true;
    });
    await Promise.resolve(); // What is over already needs one word
    if (!isOver) {
      await this.#say({ term, state: 'draining' });
      await over;
    }
    await this.#say({ term, state: 'drained' });
  }

  /** How many other processes have said this last. */
  others(term: number, state: State): number {
    let count = 0;
    for (const [key, entry] of this.#entries()) {
      if (!key.startsWith(this.#prefix) || key === this.#own) continue;
      const { value } = fromJson<Word>(entry);
      if (value.term === term && value.state === state) count++;
    }
    return count;
  }

  async #say(word: Word): Promise<void> {
    await this.#store.set(this.#own, toJson(word), { ttlMs });
  }
}
