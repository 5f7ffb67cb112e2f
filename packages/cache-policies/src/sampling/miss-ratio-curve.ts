import { integer, number, type RulesFor, readOptions, required } from '@ashlar/core';
import { Histogram } from './histogram.ts';
import { RecencyStack } from './recency-stack.ts';
import { SpatialSample } from './spatial-sample.ts';

export interface MissRatioCurveOptions {
  /** The most keys that are followed; 8 192 of them take about 200 kB. Default: 8 192. */
  readonly samples?: number;
  /** The share of the keys that is followed at first, above 0 and up to 1. It halves whenever they are too many. Default: 1. */
  readonly share?: number;
}

const rules = {
  samples: integer(8_192, { min: 16, max: 2 ** 24 }),
  share: number(1, { above: 0, max: 1 }),
} satisfies RulesFor<MissRatioCurveOptions>;

const entriesRule = required(number(undefined, { min: 0 }));
const keepRule = required(number(undefined, { min: 0, max: 1 }));

/**
 * The hit ratio that an LRU of any size would have, from one pass over a sample of the keys: SHARDS with a fixed number of
 * keys, and with its correction for a sample that has more or less than its share of the requests (Waldspurger, Park,
 * Garthwaite, Ahmad, FAST 2015). A key is a 32-bit hash that is well mixed.
 */
export class MissRatioCurve {
  readonly #samples: number;
  #sample: SpatialSample;
  readonly #stack: RecencyStack;
  readonly #distances = new Histogram();
  /** All requests, and those that the sample stands for. */
  #requests = 0;
  #sampled = 0;

  /** @throws InvalidOptionError */
  constructor(options: MissRatioCurveOptions = {}) {
    const { samples, share } = readOptions('MissRatioCurve', options, rules);
    this.#samples = samples;
    this.#sample = new SpatialSample(share);
    this.#stack = new RecencyStack(this.#samples);
  }

  /** The share of the keys that is followed now. */
  get share(): number {
    return this.#sample.share;
  }

  /** How many requests it has counted, less what has faded. */
  get requests(): number {
    return this.#requests;
  }

  /** Counts a request for the key with that hash. */
  request(hash: number): void {
    this.#requests++;
    if (this.#sample.has(hash)) this.#follow(hash);
  }

  /** As so many calls of `request` with keys that are not followed. */
  skip(requests: number): void {
    this.#requests += requests;
  }

  /** From 0 to 1, for an LRU of so many entries; NaN before the first request. @throws InvalidOptionError */
  hitRatio(entries: number): number {
    entriesRule(entries, 'entries');
    const hits = this.#distances.below(entries) + (this.#requests - this.#sampled);
    return Math.min(1, Math.max(0, hits / this.#requests));
  }

  /** Scales all counts by `keep`, 0 to 1, so that the curve follows the workload. @throws InvalidOptionError */
  fade(keep: number): void {
    keepRule(keep, 'keep');
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
