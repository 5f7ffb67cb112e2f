import type { BoundedMap, Eviction } from '../bounded-map.ts';

/** A cache as much smaller as the sample of keys that it is asked for; it counts its hits. */
export class Miniature {
  hits = 0;
  readonly #map: BoundedMap<number, true>;

  constructor(eviction: Eviction, max: number) {
    this.#map = eviction<number, true>({ max: Math.max(1, Math.round(max)) });
  }

  /** Asks for the first so many. */
  request(hashes: Int32Array, count: number): void {
    for (let i = 0; i < count; i++) {
      const hash = hashes[i]!;
      if (this.#map.get(hash) === undefined) this.#map.set(hash, true);
      else this.hits++;
    }
  }

  fade(keep: number): void {
    this.hits *= keep;
  }
}
