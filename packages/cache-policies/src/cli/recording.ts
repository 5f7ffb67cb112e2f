import type { Key } from '../trace/line-formats.ts';

/** The requests of a trace, kept in four bytes each and each key once; or given up if they are more than `limit`. */
export class Recording {
  readonly #limit: number;
  readonly #numbers = new Map<Key, number>();
  #requests = new Int32Array(65_536);
  #length = 0;
  #full = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  request(keys: readonly Key[]): void {
    if (this.#full) return;
    if (this.#length + keys.length > this.#limit) {
      this.#full = true;
      this.#numbers.clear();
      this.#requests = new Int32Array(0);
      return;
    }
    if (this.#length + keys.length > this.#requests.length) this.#grow(keys.length);
    for (const key of keys) {
      let number = this.#numbers.get(key);
      if (number === undefined) {
        number = this.#numbers.size;
        this.#numbers.set(key, number);
      }
      this.#requests[this.#length++] = number;
    }
  }

  /** Keys by number, if all are there, and how many differ. */
  get all(): { readonly requests: Int32Array; readonly keys: number } | undefined {
    if (this.#full) return undefined;
    return { requests: this.#requests.subarray(0, this.#length), keys: this.#numbers.size };
  }

  #grow(by: number): void {
    const grown = new Int32Array(Math.max(this.#requests.length * 2, this.#length + by));
    grown.set(this.#requests);
    this.#requests = grown;
  }
}
