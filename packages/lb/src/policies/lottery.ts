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
  /** The two of the latest `drawTwo`: fields, so that it need not allocate. */
  first: number = nobody;
  second: number = nobody;
  /** A number from 0 up to 1 that is as random as those that were drawn, and independent of the two. */
  lot = 0;
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

  /** The index of one that is not skipped; `nobody` when there is none. */
  draw(request: PickRequest<E>): number {
    const { random } = request;
    const count = this.#candidates.length;
    for (let draws = 0; draws < maxDraws && count > 0; draws++) {
      const scaled = random() * count;
      const column = scaled | 0;
      const index = this.#aliases?.choose(column, scaled - column) ?? column;
      if (!request.skip(this.#candidates[index]!)) return index;
    }
    return this.#drawFromAll(request, random, nobody, this.#weigh);
  }

  /**
   * Draws the `first` in proportion to the weights, and the `second` of the others with equal chances: then a choice of
   * the two that is as their weights gives shares as the weights. Either is `nobody` where there is nobody to draw.
   */
  drawTwo(request: PickRequest<E>): void {
    const candidates = this.#candidates;
    const aliases = this.#aliases;
    const count = candidates.length;
    for (let draws = 0; draws < maxDraws && count > 1; draws++) {
      // What is left of a number after one draw is as random as a new one
      const scaled = request.random() * count;
      const column = scaled | 0;
      const first = aliases === undefined ? column : aliases.choose(column, scaled - column);
      const place = (aliases === undefined ? scaled - column : aliases.left) * (count - 1);
      // Rounding may bring it up to the end
      const among = Math.min(place | 0, count - 2);
      const second = among < first ? among : among + 1;
      if (request.skip(candidates[first]!) || request.skip(candidates[second]!)) continue;
      this.first = first;
      this.second = second;
      this.lot = place - among;
      return;
    }
    this.lot = request.random();
    this.first = this.draw(request);
    this.second =
      this.first === nobody ? nobody : this.#drawFromAll(request, request.random, this.first, equal);
  }

  /** Keeps each in turn with the probability that its weight has among those seen so far. */
  #drawFromAll(
    request: PickRequest<E>,
    random: Random,
    except: number,
    weigh: (candidate: Candidate<E>) => number,
  ): number {
    let drawn = nobody;
    let seen = 0;
    for (const [index, candidate] of this.#candidates.entries()) {
      if (index === except || request.skip(candidate)) continue;
      const weight = weigh(candidate);
      seen += weight;
      if (random() * seen < weight) drawn = index;
    }
    return drawn;
  }
}

function equal(): number {
  return 1;
}

class AliasTable {
  /** What is left of the latest number, again one from 0 up to 1. */
  left = 0;
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

  choose(column: number, number: number): number {
    const threshold = this.#threshold[column]!;
    if (number < threshold) {
      this.left = number / threshold;
      return column;
    }
    this.left = (number - threshold) / (1 - threshold);
    return this.#alias[column]!;
  }
}
