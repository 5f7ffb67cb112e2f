import type { Bound } from '../../bounded-map.ts';
import { SpatialSample, shadowSize } from '../../sampling/spatial-sample.ts';
import type { PolicyMap } from '../../slots/policy-map.ts';
import type { Candidate } from './candidates.ts';

/** Requests to the sample between two judgements, the time in which counts fade, and the gain that a change must bring, */
const judgeEvery = 0.25;
const horizon = 10;
const worthwhile = 0.1;
/** as shares of a shadow's size; and by how many standard deviations. */
const certainty = 4;
/** The fewest entries of a shadow of a larger cache. */
const leastShadow = 64;
/** The least and the greatest batch of requests: a shadow that replays a batch takes a fraction of the time for each. */
const fewest = 64;
const most = 256;

/**
 * A small cache for each candidate, on a sample of the keys and as much smaller than the cache as the sample is smaller
 * than all keys: miniature simulations (Waldspurger, Saemundsson, Ahmad, Park, USENIX ATC 2017).
 */
export class Contest {
  readonly sample: SpatialSample;
  readonly #shadows: readonly PolicyMap<number, number>[];
  /** At i, j: requests that i answered and j did not. */
  readonly #wins: Float64Array;
  readonly #size: number;
  readonly #every: number;
  #since = 0;
  /** Requests that are not replayed yet; and which shadows, by bit, had each. */
  readonly #hashes: Int32Array;
  readonly #weights: Float64Array;
  readonly #answers: Uint8Array;
  #waiting = 0;

  /** For a cache of about so many entries. */
  constructor(candidates: readonly Candidate[], entries: number, bound: Bound<never, never>, seed: number) {
    const size = shadowSize(entries, leastShadow);
    this.sample = new SpatialSample(size / entries);
    const max = Math.max(1, Math.round(bound.max * (size / entries)));
    const weighed = bound.weigh && { weigh: (_hash: number, weight: number) => Math.min(weight, max) };
    this.#shadows = candidates.map(({ make }) => make<number, number>({ max, ...weighed }, seed));
    this.#wins = new Float64Array(candidates.length ** 2);
    this.#size = size;
    this.#every = Math.max(fewest, Math.round(judgeEvery * size));
    const room = Math.min(this.#every, most);
    this.#hashes = new Int32Array(room);
    this.#weights = new Float64Array(room);
    this.#answers = new Uint8Array(room);
  }

  /** A request for a key of the sample. True when it is time to judge. */
  request(hash: number, weight: number): boolean {
    const at = this.#waiting++;
    this.#hashes[at] = hash;
    this.#weights[at] = weight;
    if (this.#waiting === this.#hashes.length) this.#replay();
    return this.#since >= this.#every;
  }

  remove(hash: number): void {
    this.#replay();
    for (const shadow of this.#shadows) shadow.delete(hash);
  }

  /** The candidate that should run. Another one than `current` only if it leads clearly, and by more than a change costs. */
  judge(current: number): number {
    const wins = this.#wins;
    const { length } = this.#shadows;
    let best = current;
    let most = 0;
    for (let i = 0; i < length; i++) {
      const won = wins[i * length + current]!;
      const lost = wins[current * length + i]!;
      const lead = won - lost;
      if (lead <= most || lead < certainty * Math.sqrt(won + lost) + worthwhile * this.#size) continue;
      most = lead;
      best = i;
    }
    const keep = Math.exp(-this.#since / (horizon * this.#size));
    for (let i = 0; i < wins.length; i++) wins[i]! *= keep;
    this.#since = 0;
    return best;
  }

  #replay(): void {
    const count = this.#waiting;
    const answers = this.#answers.fill(0);
    const { length } = this.#shadows;
    for (let i = 0; i < length; i++) this.#replayOne(this.#shadows[i]!, 1 << i);
    for (let at = 0; at < count; at++) {
      const answered = answers[at]!;
      if (answered === 0 || answered === (1 << length) - 1) continue;
      for (let i = 0; i < length; i++) {
        if ((answered & (1 << i)) === 0) continue;
        for (let j = 0; j < length; j++) if ((answered & (1 << j)) === 0) this.#wins[i * length + j]!++;
      }
    }
    this.#since += count;
    this.#waiting = 0;
  }

  #replayOne(shadow: PolicyMap<number, number>, bit: number): void {
    for (let at = 0; at < this.#waiting; at++) {
      const hash = this.#hashes[at]!;
      if (shadow.get(hash) === undefined) shadow.set(hash, this.#weights[at]!);
      else this.#answers[at]! |= bit;
    }
  }
}
