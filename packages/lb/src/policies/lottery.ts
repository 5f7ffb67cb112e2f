import type { Random } from '@ashlar/core';
import type { Candidate } from '../candidate.ts';
import type { Endpoint } from '../endpoint.ts';
import type { PickRequest } from '../policy.ts';

/** What a draw gives where there is nobody to give. */
export const nobody = -1;

/** Draws before all candidates are looked at: as many as make that rare when half of them are to be skipped. */
const maxDraws = 6;

/**
 * Draws candidates in proportion to their weights, in constant time (the alias method, in Vose's form). A candidate that
 * does not suit is drawn again, so that the others keep their proportions.
 */
export class Lottery<E extends Endpoint> {
  readonly #weigh: (candidate: Candidate<E>) => number;
  #candidates: readonly Candidate<E>[] = [];
  /** Absent while all weights are equal. */
  #aliases: AliasTable | undefined;

  constructor(weigh: (candidate: Candidate<E>) => number = ({ weight }) => weight) {
    this.#weigh = weigh;
  }

  update(candidates: readonly Candidate<E>[]): void {
    this.#candidates = candidates;
    const weights = candidates.map(this.#weigh);
    this.#aliases = weights.every(weight => weight === weights[0]) ? undefined : new AliasTable(weights);
  }

  /** The index of one that is neither skipped nor at `except`; `nobody` when there is none. */
  draw(request: PickRequest<E>, except: number = nobody): number {
    const { random } = request;
    const count = this.#candidates.length;
    for (let draws = 0; draws < maxDraws && count > 0; draws++) {
      const index = this.#aliases?.draw(random()) ?? Math.floor(random() * count);
      if (index !== except && !request.skip(this.#candidates[index]!)) return index;
    }
    return this.#drawFromAll(request, random, except);
  }

  /** Keeps each in turn with the probability that its weight has among those seen so far. */
  #drawFromAll(request: PickRequest<E>, random: Random, except: number): number {
    let drawn = nobody;
    let seen = 0;
    for (const [index, candidate] of this.#candidates.entries()) {
      if (index === except || request.skip(candidate)) continue;
      const weight = this.#weigh(candidate);
      seen += weight;
      if (random() * seen < weight) drawn = index;
    }
    return drawn;
  }
}

class AliasTable {
  readonly #threshold: Float64Array;
  readonly #alias: Uint32Array;

  constructor(weights: readonly number[]) {
    const count = weights.length;
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    this.#threshold = Float64Array.from(weights, weight => (weight / total) * count);
    this.#alias = Uint32Array.from(weights.keys());
    const small: number[] = [];
    const large: number[] = [];
    for (const [index, share] of this.#threshold.entries()) (share < 1 ? small : large).push(index);
    while (small.length > 0 && large.length > 0) {
      const less = small.pop()!;
      const more = large.at(-1)!;
      this.#alias[less] = more;
      this.#threshold[more]! -= 1 - this.#threshold[less]!;
      if (this.#threshold[more]! < 1) small.push(large.pop()!);
    }
    // What rounding leaves over is a full column
    for (const index of [...small, ...large]) this.#threshold[index] = 1;
  }

  draw(number: number): number {
    const scaled = number * this.#alias.length;
    const column = Math.floor(scaled);
    return scaled - column < this.#threshold[column]! ? column : this.#alias[column]!;
  }
}
