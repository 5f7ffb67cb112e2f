import { integerOption, knownOptions, numberOption, type Random } from '@ashlar/core';
import { Miniature } from './advisor/miniature.ts';
import { thrashState } from './advisor/thrash.ts';
import type { Eviction } from './bounded-map.ts';
import { channels } from './diagnostics.ts';
import type { AccessObserver } from './observer.ts';
import { MissRatioCurve } from './shards/miss-ratio-curve.ts';
import { SampledKeys } from './shards/sampled-keys.ts';
import { SpatialSample, shadowSize } from './shards.ts';

export interface CacheAdvisorOptions {
  /** Says in diagnostics which cache it is. */
  readonly name?: string;
  /** The most entries of the cache that it watches. */
  readonly max: number;
  /** The policy of that cache. */
  readonly eviction: Eviction;
  /** Sizes to tell of, as multiples of `max`: 0.5, 2 and 10 by default. */
  readonly factors?: readonly number[];
  /** Other policies to tell of, by name. */
  readonly others?: Readonly<Record<string, Eviction>>;
  /** After so many requests what was counted before counts half, and it is looked whether the cache thrashes: `10 * max` by default. */
  readonly windowRequests?: number;
  /** Seeds the choice of the sample; asked once. `Math.random` by default. */
  readonly random?: Random;
}

export interface CacheAdvice {
  /** Of the cache itself, measured; NaN before the first request. Ratios are from 0 to 1. */
  readonly hitRatio: number;
  /** What it would be with other sizes and the same policy. */
  readonly sizes: readonly { readonly max: number; readonly hitRatio: number }[];
  /** What it would be with other policies and the same size, by name. */
  readonly policies: Readonly<Record<string, number>>;
  readonly thrashing: boolean;
  /** Misses of what had been evicted, for each hit. */
  readonly ghostsPerHit: number;
  /** The size at which it would thrash no more, if it does. */
  readonly neededMax: number;
}

/** Entries that a miniature has at least, of a cache that has more. */
const leastShadow = 100;
/** Requests that wait: a miniature that is told of many in a row takes a fraction of the time for each. */
const mostWaiting = 256;
const defaultFactors: readonly number[] = [0.5, 2, 10];

/**
 * Stands beside any cache, is told of its hits and misses, and answers what the hit ratio would be at other sizes and with
 * other policies, and whether the cache is too small. It follows a sample of the keys in miniatures of the cache, as much
 * smaller as the sample is (Waldspurger, Saemundsson, Ahmad, Park, USENIX ATC 2017), and corrects them by what the cache
 * itself shows. It keeps hashes, and of keys that are strings those of the sample. As the `observer` of a `Cache` it is told of every read.
 */
export class CacheAdvisor implements AccessObserver<unknown> {
  readonly #name: string;
  readonly #max: number;
  readonly #keys: SampledKeys;
  readonly #curve: MissRatioCurve;
  readonly #own: Miniature;
  readonly #sizes: readonly { readonly max: number; readonly miniature: Miniature }[];
  readonly #others: ReadonlyMap<string, Miniature>;
  readonly #window: number;
  /** Requests of this window, and what is left of those before. */
  #since = 0;
  #requestsBefore = 0;
  #hits = 0;
  #sampled = 0;
  /** Requests to the sample that the miniatures are not told yet, and those of the window that they know of. */
  readonly #hashes = new Int32Array(mostWaiting);
  #waiting = 0;
  #told = 0;
  #thrashing = false;

  constructor(options: CacheAdvisorOptions) {
    knownOptions('CacheAdvisor', options, [
      ...['name', 'max', 'eviction', 'factors', 'others', 'windowRequests', 'random'],
    ]);
    const { name = 'cache', eviction, factors = defaultFactors, others = {}, random = Math.random } = options;
    this.#name = name;
    this.#max = integerOption('max', options.max, { min: 1 });
    this.#window = integerOption('windowRequests', options.windowRequests ?? 10 * this.#max, { min: 1 });
    for (const factor of factors) numberOption('factors', factor, { above: 0 });
    const size = shadowSize(this.#max, leastShadow);
    const sample = new SpatialSample(size / this.#max);
    this.#curve = new MissRatioCurve({ share: sample.share });
    this.#keys = new SampledKeys(sample, Math.floor(random() * 2 ** 32), 8 * size);
    this.#own = new Miniature(eviction, size);
    this.#sizes = factors.map(factor => ({
      max: Math.max(1, Math.round(factor * this.#max)),
      miniature: new Miniature(eviction, factor * size),
    }));
    this.#others = new Map(Object.entries(others).map(([name, other]) => [name, new Miniature(other, size)]));
  }

  /** The cache had it. */
  hit(key: unknown): void {
    this.#hits++;
    this.#request(this.#keys.hit(key));
  }

  /** The cache did not have it, and has it now if its policy let it in. */
  miss(key: unknown): void {
    this.#request(this.#keys.missed(key));
  }

  estimate(): CacheAdvice {
    this.#tell();
    const hitRatio = this.#hitRatio;
    const state = thrashState(this.#curve, hitRatio, this.#max, this.#thrashing);
    return {
      ...state,
      hitRatio,
      sizes: this.#sizes.map(({ max, miniature }) => ({ max, hitRatio: this.#corrected(miniature) })),
      policies: Object.fromEntries([...this.#others].map(([name, other]) => [name, this.#corrected(other)])),
    };
  }

  /** As the `observer` of a `Cache`. */
  accessed(_id: unknown, key: unknown, hit: boolean): void {
    if (hit) this.hit(key);
    else this.miss(key);
  }

  /** As a JSON-safe object. */
  snapshot(): CacheAdvice & { readonly name: string; readonly max: number } {
    return { name: this.#name, max: this.#max, ...this.estimate() };
  }

  /** The hit ratio that an LRU of so many entries would have. */
  lruHitRatio(max: number): number {
    this.#tell();
    return this.#curve.hitRatio(integerOption('max', max, { min: 1 }));
  }

  get #hitRatio(): number {
    return this.#hits / (this.#requestsBefore + this.#since);
  }

  #request(sampled: number | undefined): void {
    this.#since++;
    if (sampled !== undefined) {
      this.#hashes[this.#waiting++] = sampled;
      if (this.#waiting === mostWaiting) this.#tell();
    }
    if (this.#since >= this.#window) this.#endWindow();
  }

  #tell(): void {
    const hashes = this.#hashes;
    const count = this.#waiting;
    this.#sampled += count;
    this.#curve.skip(this.#since - this.#told - count);
    for (let i = 0; i < count; i++) this.#curve.request(hashes[i]!);
    for (const miniature of this.#miniatures()) miniature.request(hashes, count);
    this.#told = this.#since;
    this.#waiting = 0;
  }

  *#miniatures(): IterableIterator<Miniature> {
    yield this.#own;
    for (const { miniature } of this.#sizes) yield miniature;
    yield* this.#others.values();
  }

  /** The sample has keys that are more or less popular than all are; the cache's own ratio tells by how much it is off. */
  #corrected(miniature: Miniature): number {
    const off = this.#sampled === 0 ? 0 : (miniature.hits - this.#own.hits) / this.#sampled;
    return Math.min(1, Math.max(0, this.#hitRatio + off));
  }

  #endWindow(): void {
    this.#tell();
    const hitRatio = this.#hitRatio;
    const { thrashing, ghostsPerHit, neededMax } = thrashState(
      this.#curve,
      hitRatio,
      this.#max,
      this.#thrashing,
    );
    if (thrashing !== this.#thrashing && channels.thrash.hasSubscribers) {
      const cache = this.#name;
      channels.thrash.publish({ cache, max: this.#max, thrashing, hitRatio, ghostsPerHit, neededMax });
    }
    this.#thrashing = thrashing;
    this.#requestsBefore = (this.#requestsBefore + this.#since) / 2;
    this.#since = this.#told = 0;
    this.#hits /= 2;
    this.#sampled /= 2;
    this.#curve.fade(0.5);
    for (const miniature of this.#miniatures()) miniature.fade(0.5);
  }
}
