import type { SpatialSample } from '../shards.ts';
import { KeyHash } from '../shared/key-hash.ts';

/** Of the hits by strings that are not known to be of the sample, one in 2 ** so many is hashed all the same. */
const probeBits = 4;

/**
 * Which keys are of a sample, by hash. To hash a string takes longer than a hit of a cache: those of the sample are kept, as
 * they come with a miss, and looked for when there is a hit; `room` to twice as many, the latest. Other keys are not kept.
 */
export class SampledKeys {
  readonly #sample: SpatialSample;
  readonly #hash: KeyHash;
  readonly #room: number;
  #latest = new Map<string, number>();
  #before = new Map<string, number>();
  /** Chooses which are hashed by chance, as in a fixed step with a loop it would be the same ones each time. */
  #draw: number;

  constructor(sample: SpatialSample, seed: number, room: number) {
    this.#sample = sample;
    this.#hash = new KeyHash(seed);
    this.#room = room;
    this.#draw = seed;
  }

  /** The hash of a key that a cache did not have, or undefined if it is not of the sample. */
  missed(key: unknown): number | undefined {
    const hash = this.#hash.of(key);
    if (!this.#sample.has(hash)) return undefined;
    if (typeof key === 'string') this.#keep(key, hash);
    return hash;
  }

  /** As `missed`, for a key that the cache had: if it has it without a miss, that is found out after some hits. */
  hit(key: unknown): number | undefined {
    if (typeof key !== 'string') return this.missed(key);
    const latest = this.#latest.get(key);
    if (latest !== undefined) return latest;
    const before = this.#before.size === 0 ? undefined : this.#before.get(key);
    if (before !== undefined) this.#keep(key, before);
    else if (this.#isProbed()) return this.missed(key);
    return before;
  }

  /** A linear congruential generator (Knuth's constants), whose high bits are good enough. */
  #isProbed(): boolean {
    this.#draw = (Math.imul(this.#draw, 1_664_525) + 1_013_904_223) | 0;
    return this.#draw >>> (32 - probeBits) === 0;
  }

  #keep(key: string, hash: number): void {
    this.#latest.set(key, hash);
    if (this.#latest.size < this.#room) return;
    this.#before = this.#latest;
    this.#latest = new Map();
  }
}
