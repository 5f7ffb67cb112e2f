const longest = 512;

/** A set of keys in the order of their UTF-8 bytes, in runs of bounded length: a change moves the keys of one run. */
export class SortedKeys {
  /** Only the first may be empty, when it is the only one. */
  readonly #runs: string[][] = [[]];

  add(key: string): void {
    const at = this.#runOf(key);
    const run = this.#runs[at]!;
    const place = lowerBound(run, key);
    if (run[place] === key) return;
    run.splice(place, 0, key);
    if (run.length > longest) this.#runs.splice(at + 1, 0, run.splice(longest / 2));
  }

  delete(key: string): void {
    const at = this.#runOf(key);
    const run = this.#runs[at]!;
    const place = lowerBound(run, key);
    if (run[place] !== key) return;
    run.splice(place, 1);
    if (run.length === 0 && this.#runs.length > 1) this.#runs.splice(at, 1);
  }

  /** Up to `count` keys that begin with `prefix`, from the first one that is greater than `after`. */
  page(prefix: string, after: string | undefined, count: number): string[] {
    const found: string[] = [];
    const from = after ?? prefix;
    for (let at = this.#runOf(from); at < this.#runs.length; at++) {
      const run = this.#runs[at]!;
      for (let i = lowerBound(run, from); i < run.length; i++) {
        const key = run[i]!;
        if (key === after) continue;
        if (found.length === count || !key.startsWith(prefix)) return found;
        found.push(key);
      }
    }
    return found;
  }

  /** The last run that begins at or before the key, or the first. */
  #runOf(key: string): number {
    let [low, high] = [0, this.#runs.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (compareKeys(this.#runs[middle]![0]!, key) <= 0) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

function lowerBound(run: readonly string[], key: string): number {
  let [low, high] = [0, run.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareKeys(run[middle]!, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Compares well-formed strings by their UTF-8 bytes, which is the order of their code points. */
export function compareKeys(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const [one, other] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (one !== other) return rank(one) - rank(other);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above all that one unit can hold. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x1_0000 : unit;
}
