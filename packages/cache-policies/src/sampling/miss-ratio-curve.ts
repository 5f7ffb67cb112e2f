import { integerOption, numberOption } from '@ashlar/core';
import { Histogram } from './histogram.ts';
import { RecencyStack } from './recency-stack.ts';
import { SpatialSample } from './spatial-sample.ts';

export interface MissRatioCurveOptions {
  /** How many keys are followed at most: 8192 by default, for which it takes about 200 kB. */
  readonly samples?: number;
  /** The share of the keys that is followed at first, of (0, 1]: 1 by default. It is halved whenever they are too many. */
  readonly share?: number;
}

/**
 * The hit ratio that an LRU of any size would have, from one pass over a sample of the keys: SHARDS with a fixed number of
 * keys, and with its correction for a sample that has more or less than its share of the requests (Waldspurger, Park,
 * Garthwaite, Ahmad, FAST 2015). Keys are told by 32-bit hashes that are well mixed.
 */
export class MissRatioCurve {
  readonly #samples: number;
  #sample: SpatialSample;
  readonly #stack: RecencyStack;
  readonly #distances = new Histogram();
  /** All requests, and those that the sample stands for. */
  #requests = 0;
  #sampled = 0;

  constructor({ samples = 8_192, share = 1 }: MissRatioCurveOptions = {}) {
    this.#samples = integerOption('samples', samples, { min: 16 });
    this.#sample = new SpatialSample(numberOption('share', share, { above: 0, max: 1 }));
    this.#stack = new RecencyStack(this.#samples);
  }

  /** The share of the keys that is followed now. */
  get share(): number {
    return this.#sample.share;
  }

  /** How many requests it has heard of, less what has faded. */
  get requests(): number {
    return this.#requests;
  }

  request(hash: number): void {
    this.#requests++;
    if (this.#sample.has(hash)) this.#follow(hash);
  }

  /** As so many calls of `request` with keys that are not followed. */
  skip(requests: number): void {
    this.#requests += requests;
  }

  /** From 0 to 1, for an LRU of so many entries; NaN before the first request. */
  hitRatio(entries: number): number {
    const hits = this.#distances.below(entries) + (this.#requests - this.#sampled);
    return Math.min(1, Math.max(0, hits / this.#requests));
  }

  /** Lets that share of what was counted still count, so that it shows what the workload is now. */
  fade(keep: number): void {
    this.#distances.fade(keep);
    this.#requests *= keep;
    this.#sampled *= keep;
  }

  #follow(hash: number): void {
    const weight = 1 / this.#sample.share;
    const since = this.#stack.request(hash);
    if (since >= 0) this.#distances.add(since * weight, weight);
    this.#sampled += weight;
    while (this.#stack.size >= this.#samples) {
      const fewer = new SpatialSample(this.#sample.share / 2);
      this.#sample = fewer;
      this.#stack.retain(other => fewer.has(other));
    }
  }
}
