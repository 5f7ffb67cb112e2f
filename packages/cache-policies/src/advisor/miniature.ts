import type { BoundedMap, Eviction } from '../bounded-map.ts';
import { SpatialSample } from '../sampling/spatial-sample.ts';

/** The most entries of a miniature: it follows fewer keys when there are more. */
const mostEntries = 2_000;

/** Whether the map had the key, which it stores if not. */
export function ask(map: BoundedMap<number, true>, hash: number): 0 | 1 {
  if (map.get(hash) !== undefined) return 1;
  map.set(hash, true);
  return 0;
}

/**
 * A cache of another size or policy, scaled down as its sample of the keys is. It counts how many more requests it answers
 * than another miniature of the same keys.
 */
export class Miniature {
  readonly #entries: number;
  readonly #map: BoundedMap<number, true>;
  #sample: SpatialSample;
  /** Each counts for the share of the keys that was followed when it came. */
  #requests = 0;
  #gained = 0;

  /** Of a cache of so many entries, at first with that share of the keys. */
  constructor(eviction: Eviction, entries: number, share: number) {
    this.#entries = entries;
    this.#sample = new SpatialSample(share);
    this.#map = eviction<number, true>({ max: this.#max });
  }

  /** By how much its hit ratio is above the other's; 0 before the first request. */
  get gain(): number {
    return this.#requests === 0 ? 0 : this.#gained / this.#requests;
  }

  /** Asks for the first so many, of which the other one answered those with a 1. */
  request(hashes: Int32Array, answered: Uint8Array, count: number): void {
    const weight = 1 / this.#sample.share;
    for (let i = 0; i < count; i++) {
      const hash = hashes[i]!;
      if (!this.#sample.has(hash)) continue;
      this.#requests += weight;
      this.#gained += weight * (ask(this.#map, hash) - answered[i]!);
    }
    while (this.#map.size > mostEntries) this.#followFewer();
  }

  /** Lets that share of what was counted still count. */
  fade(keep: number): void {
    this.#requests *= keep;
    this.#gained *= keep;
  }

  get #max(): number {
    return Math.max(1, Math.round(this.#entries * this.#sample.share));
  }

  #followFewer(): void {
    this.#sample = new SpatialSample(this.#sample.share / 2);
    for (const [hash] of [...this.#map]) if (!this.#sample.has(hash)) this.#map.delete(hash);
    this.#map.resize(this.#max);
  }
}
