import type { Bound } from '../../bounded-map.ts';
import { SpatialSample, shadowSize } from '../../shards.ts';
import type { KeyHash } from '../../shared/key-hash.ts';
import type { PolicyMap } from '../../shared/policy-map.ts';
import type { Candidate } from './candidates.ts';

/** Requests to the sample between two judgements, the time in which what was counted fades, and what a change must bring, */
const judgeEvery = 0.25;
const horizon = 10;
const worthwhile = 0.1;
/** as shares of a shadow's size; and by how many standard deviations. */
const certainty = 4;
/** Entries that a shadow has at least, of a cache that has more. */
const leastShadow = 64;

/**
 * A small cache for each candidate, on a sample of the keys and as much smaller than the cache as the sample is smaller
 * than all keys: miniature simulations (Waldspurger, Saemundsson, Ahmad, Park, USENIX ATC 2017).
 */
export class Contest {
  readonly sample: SpatialSample;
  readonly #shadows: readonly PolicyMap<number, number>[];
  readonly #hits: boolean[];
  /** At i, j: requests that i answered and j did not. */
  readonly #wins: Float64Array;
  readonly #every: number;
  #since = 0;

  /** For a cache of about so many entries. */
  constructor(
    candidates: readonly Candidate[],
    entries: number,
    bound: Bound<never, never>,
    seed: number,
    hash: KeyHash,
  ) {
    const size = shadowSize(entries, leastShadow);
    this.sample = new SpatialSample(size / entries);
    const max = Math.max(1, Math.round(bound.max * (size / entries)));
    const weighed = bound.weigh && { weigh: (_hash: number, weight: number) => Math.min(weight, max) };
    this.#shadows = candidates.map(({ make }) => make<number, number>({ max, ...weighed }, seed, hash));
    this.#hits = candidates.map(() => false);
    this.#wins = new Float64Array(candidates.length ** 2);
    this.#every = Math.max(16, Math.round(judgeEvery * size));
  }

  /** A request for a key of the sample. True when it is time to judge. */
  request(hash: number, weight: number): boolean {
    const shadows = this.#shadows;
    const hits = this.#hits;
    const wins = this.#wins;
    const { length } = shadows;
    let hitCount = 0;
    for (let i = 0; i < length; i++) {
      const hit = shadows[i]!.get(hash) !== undefined;
      if (!hit) shadows[i]!.set(hash, weight);
      else hitCount++;
      hits[i] = hit;
    }
    if (hitCount > 0 && hitCount < length) {
      for (let i = 0; i < length; i++) {
        if (!hits[i]) continue;
        for (let j = 0; j < length; j++) if (!hits[j]) wins[i * length + j]!++;
      }
    }
    return ++this.#since >= this.#every;
  }

  remove(hash: number): void {
    for (const shadow of this.#shadows) shadow.delete(hash);
  }

  /** Who should run, if `current` does: another one only if it has won clearly and by enough for what a change costs. */
  judge(current: number): number {
    const wins = this.#wins;
    const { length } = this.#shadows;
    const size = this.#every / judgeEvery;
    let best = current;
    let most = 0;
    for (let i = 0; i < length; i++) {
      const won = wins[i * length + current]!;
      const lost = wins[current * length + i]!;
      const lead = won - lost;
      if (lead <= most || lead < certainty * Math.sqrt(won + lost) + worthwhile * size) continue;
      most = lead;
      best = i;
    }
    const keep = Math.exp(-this.#since / (horizon * size));
    for (let i = 0; i < wins.length; i++) wins[i]! *= keep;
    this.#since = 0;
    return best;
  }
}
