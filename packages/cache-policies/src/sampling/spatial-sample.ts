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
 * The entries of a shadow of a cache with that many: all of a small cache, because a small part of it shows nothing; few of
 * a large one, at least `least`, so that it costs little.
 */
export function shadowSize(entries: number, least: number): number {
  if (entries <= 1_000) return entries;
  return Math.round(Math.max((10_000 * least) / entries, least, entries / 1_000));
}
