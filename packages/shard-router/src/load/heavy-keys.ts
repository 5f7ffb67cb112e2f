/** A key that is asked for often. */
export interface HeavyKey {
  readonly key: string;
  /** At most so many times: `count - error` is certain. */
  readonly count: number;
  readonly error: number;
}

/**
 * The keys that are met most, in bounded memory: Space-Saving of Metwally, Agrawal and El Abbadi, "Efficient Computation of Frequent and
 * Top-k Elements in Data Streams" (2005). With `max` counters, every key that makes up more than one in `max` of all is among them, and no
 * count is too high by more than that part.
 */
export class HeavyKeys {
  readonly #places = new Map<string, number>();
  readonly #keys: string[] = [];
  readonly #counts: Float64Array;
  readonly #errors: Float64Array;

  /** @param max counters */
  constructor(max: number) {
    this.#counts = new Float64Array(max);
    this.#errors = new Float64Array(max);
  }

  add(key: string, count: number): void {
    const known = this.#places.get(key);
    if (known !== undefined) {
      this.#counts[known]! += count;
      return;
    }
    const counts = this.#counts;
    let place = this.#keys.length;
    if (place === counts.length) {
      place = 0;
      for (let each = 1; each < counts.length; each++) if (counts[each]! < counts[place]!) place = each;
      // The new key takes the counter over: it may have been met as often before
      this.#places.delete(this.#keys[place]!);
      this.#errors[place] = counts[place]!;
    }
    this.#keys[place] = key;
    this.#places.set(key, place);
    counts[place]! += count;
  }

  /** The heaviest first, by what is certain. */
  top(): HeavyKey[] {
    return this.#keys
      .map((key, place) => ({ key, count: this.#counts[place]!, error: this.#errors[place]! }))
      .sort((a, b) => b.count - b.error - (a.count - a.error));
  }
}
