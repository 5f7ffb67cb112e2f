/** The most topics that are looked at one by one; the rows of others are found in the gaps between. */
const maxKnown = 100;

/** Topics that a relay has seen, and what is between them, as parameters of its statements. */
export class Topics {
  readonly #known = new Set<string>();

  get known(): readonly string[] {
    return [...this.#known];
  }

  seen(topic: string): void {
    this.#known.delete(topic);
    this.#known.add(topic);
    if (this.#known.size > maxKnown) this.#known.delete(this.known[0]!);
  }

  /** Whether there may be many more, which are found in the gaps only. */
  get isFull(): boolean {
    return this.#known.size === maxKnown;
  }

  /**
   * Arrays of PostgreSQL: topics without those that are left out, and the low and high ends of the gaps between all.
   *
   * @param around whether there are gaps at all
   */
  parameters(
    without: readonly string[] = [],
    around = true,
  ): readonly [topics: string, lows: string, highs: string] {
    if (!around) return [array(this.known.filter(topic => !without.includes(topic))), '{}', '{}'];
    const all = [...new Set([...this.#known, ...without])].sort();
    // Below and above all names of topics
    return [array(all.filter(topic => !without.includes(topic))), array(['', ...all]), array([...all, '~'])];
  }
}

/** Of texts without quotes and backslashes: names of topics, places of rows. */
export function array(texts: readonly string[]): string {
  return `{${texts.map(text => `"${text}"`).join()}}`;
}
