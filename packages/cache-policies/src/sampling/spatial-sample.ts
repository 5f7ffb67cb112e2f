/**
 * Chooses keys by their hash, so that every request for a key is in the sample or none is: SHARDS (Waldspurger, Park,
 * Garthwaite, Ahmad, FAST 2015).
 */
export class SpatialSample {
  /** Of all keys, from 0 to 1. */
  readonly share: number;
  readonly #below: number;

  constructor(share: number) {
    this.share = Math.min(1, share);
    this.#below = Math.round(this.share * 2 ** 32);
  }

  has(hash: number): boolean {
    return hash >>> 0 < this.#below;
  }
}

/**
 * How many entries a shadow should have of a cache of that many: all of a small one, as a small part of it would tell
 * nothing; few of a large one, but `least`, so that it costs little.
 */
export function shadowSize(entries: number, least: number): number {
  if (entries <= 1_000) return entries;
  return Math.round(Math.max((10_000 * least) / entries, least, entries / 1_000));
}
