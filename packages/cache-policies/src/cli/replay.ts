import { seededRandom } from '@ashlar/core';
import type { BoundedMap, Eviction } from '../bounded-map.ts';
import { SpatialSample } from '../sampling/spatial-sample.ts';
import type { Key } from '../trace/line-formats.ts';
import { shadowEntries } from './sizes.ts';

/** A cache that is asked for every request, and stores what it had not. */
export class Replay {
  hits = 0;
  readonly #map: BoundedMap<Key, true>;

  constructor(eviction: Eviction, max: number) {
    // the same at every run
    this.#map = eviction<Key, true>({ max, random: seededRandom(1) });
  }

  request(keys: readonly Key[]): void {
    const map = this.#map;
    for (const key of keys) {
      if (map.get(key) !== undefined) this.hits++;
      else map.set(key, true);
    }
  }
}

/**
 * What caches of one size, larger than `shadowEntries`, would do, from small ones that are asked for a sample of the keys (miniature simulation:
 * Waldspurger, Saemundsson, Ahmad, Park, USENIX ATC 2017).
 */
export class Shadows {
  readonly size: number;
  readonly #sample: SpatialSample;
  readonly #replays: ReadonlyMap<string, Replay>;
  #sampled = 0;

  constructor(size: number, evictions: ReadonlyMap<string, Eviction>) {
    this.size = size;
    this.#sample = new SpatialSample(shadowEntries / size);
    this.#replays = new Map(
      Array.from(evictions, ([name, eviction]) => [name, new Replay(eviction, shadowEntries)]),
    );
  }

  request(hashes: readonly number[]): void {
    const sampled = hashes.filter(hash => this.#sample.has(hash));
    this.#sampled += sampled.length;
    for (const replay of this.#replays.values()) replay.request(sampled);
  }

  /** Of so many requests. A sample that has more or less than its share of them is taken to differ in hits. */
  missRatio(policy: string, requests: number): number {
    const misses = this.#sampled - this.#replays.get(policy)!.hits;
    return Math.min(1, misses / this.#sample.share / requests);
  }
}
