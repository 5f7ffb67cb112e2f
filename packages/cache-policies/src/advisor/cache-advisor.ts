import { integerOption, knownOptions, numberOption, type Random } from '@ashlar/core';
import type { BoundedMap, Eviction } from '../bounded-map.ts';
import { channels } from '../diagnostics.ts';
import { MissRatioCurve } from '../sampling/miss-ratio-curve.ts';
import { SpatialSample, shadowSize } from '../sampling/spatial-sample.ts';
import { KeyHash } from '../slots/key-hash.ts';
import type { AccessObserver, HitCount } from './access-observer.ts';
import { ask, Miniature } from './miniature.ts';
import { thrashState } from './thrash.ts';

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
/** A miniature of a cache that is larger than this has as many as of this. */
const largest = 300_000;
/** Keys that the curve follows at most. */
const samples = 4_096;
/** Requests that wait: a miniature that is told of many in a row takes a fraction of the time for each. */
const mostWaiting = 256;
const defaultFactors: readonly number[] = [0.5, 2, 10];

/**
 * Stands beside any cache, is told of its hits and misses, and answers what the hit ratio would be at other sizes and with
 * other policies, and whether the cache is too small. It follows a sample of the keys in miniatures of the cache, as much
 * smaller as the sample is (Waldspurger, Saemundsson, Ahmad, Park, USENIX ATC 2017), and corrects them by what the cache
 * itself shows. It keeps hashes, not keys, and follows the same keys for as long as it lives.
 */
export class CacheAdvisor implements AccessObserver<unknown> {
  readonly #name: string;
  readonly #max: number;
  readonly #hash: KeyHash;
  readonly #sample: SpatialSample;
  readonly #curve: MissRatioCurve;
  /** In small, the cache itself. */
  readonly #own: BoundedMap<number, true>;
  readonly #sizes: readonly { readonly max: number; readonly miniature: Miniature }[];
  readonly #others: ReadonlyMap<string, Miniature>;
  readonly #window: number;
  /**
   * Who keeps the answer of `follows` beside a value adds hits of keys that are not followed to this, which takes no time to
   * speak of, and calls `hit` for the others. It is set back to 0 as it is taken into account.
   */
  readonly unfollowed: HitCount = { hits: 0 };
  /** Requests of this window, and what is left of those before. */
  #since = 0;
  #requestsBefore = 0;
  #hits = 0;
  /** Requests to the sample that the miniatures are not told yet, and those of the window that they know of. */
  readonly #hashes = new Int32Array(mostWaiting);
  readonly #answered = new Uint8Array(mostWaiting);
  #waiting = 0;
  #replayed = 0;
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
    const size = shadowSize(Math.min(this.#max, largest), leastShadow);
    this.#hash = new KeyHash(Math.floor(random() * 2 ** 32));
    this.#sample = new SpatialSample(size / this.#max);
    const { share } = this.#sample;
    this.#curve = new MissRatioCurve({ samples, share });
    this.#own = eviction<number, true>({ max: size });
    const small = (of: Eviction, entries: number) => new Miniature(of, entries, share);
    this.#sizes = factors.map(factor => {
      const max = Math.max(1, Math.round(factor * this.#max));
      return { max, miniature: small(eviction, max) };
    });
    this.#others = new Map(Object.entries(others).map(([name, other]) => [name, small(other, this.#max)]));
  }

  /** Whether it is of the sample. Of a key, the answer is always the same. */
  follows(key: unknown): boolean {
    return this.#sample.has(this.#hash.of(key));
  }

  /** The cache had it. Of keys that are not followed it is enough to count the hits in `unfollowed`. */
  hit(key: unknown): void {
    this.#hits++;
    this.#request(key);
  }

  /** The cache did not have it, and has it now if its policy let it in. */
  miss(key: unknown): void {
    this.#request(key);
  }

  estimate(): CacheAdvice {
    this.#replay();
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
  accessed(id: unknown, _key: unknown, hit: boolean): void {
    if (hit) this.hit(id);
    else this.miss(id);
  }

  /** As a JSON-safe object. */
  snapshot(): CacheAdvice & { readonly name: string; readonly max: number } {
    return { name: this.#name, max: this.#max, ...this.estimate() };
  }

  get #hitRatio(): number {
    return this.#hits / (this.#requestsBefore + this.#since);
  }

  #request(key: unknown): void {
    this.#since++;
    const hash = this.#hash.of(key);
    if (this.#sample.has(hash)) {
      this.#hashes[this.#waiting++] = hash;
      if (this.#waiting === mostWaiting) this.#replay();
    }
    if (this.#since + this.unfollowed.hits >= this.#window) this.#endWindow();
  }

  #replay(): void {
    this.#hits += this.unfollowed.hits;
    this.#since += this.unfollowed.hits;
    this.unfollowed.hits = 0;
    const hashes = this.#hashes;
    const count = this.#waiting;
    this.#curve.skip(this.#since - this.#replayed - count);
    for (let i = 0; i < count; i++) this.#curve.request(hashes[i]!);
    const answered = this.#answered;
    for (let i = 0; i < count; i++) answered[i] = ask(this.#own, hashes[i]!);
    for (const miniature of this.#miniatures()) miniature.request(hashes, answered, count);
    this.#replayed = this.#since;
    this.#waiting = 0;
  }

  *#miniatures(): IterableIterator<Miniature> {
    for (const { miniature } of this.#sizes) yield miniature;
    yield* this.#others.values();
  }

  /** The sample has keys that are more or less popular than all are; the cache's own ratio tells by how much it is off. */
  #corrected(miniature: Miniature): number {
    return Math.min(1, Math.max(0, this.#hitRatio + miniature.gain));
  }

  #endWindow(): void {
    this.#replay();
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
    this.#since = this.#replayed = 0;
    this.#hits /= 2;
    this.#curve.fade(0.5);
    for (const miniature of this.#miniatures()) miniature.fade(0.5);
  }
}
