import type { Random } from '@ashlar/core';
import type { Endpoint } from '../../endpoint.ts';
import type { Candidate, PickRequest } from '../../policy.ts';

/** What a draw gives where there is none to give. */
export const none = -1;

/** Draws before all candidates are looked at: as many as make that rare when half of them are to be skipped. */
const maxDraws = 6;

/**
 * Draws candidates in proportion to their weights, in constant time (the alias method, in Vose's form). A candidate that
 * does not suit is drawn again, so that the others keep their proportions.
 */
export class Lottery<E extends Endpoint> {
  /** The two of the latest `drawTwo`: fields, so that it need not allocate. */
  first: number = none;
  second: number = none;
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

  /** The index of one that is not skipped; `none` when there is none. */
  draw(request: PickRequest<E>): number {
    const candidates = this.#candidates;
    const count = candidates.length;
    for (let draws = 0; draws < maxDraws && count > 0; draws++) {
      const index = this.#drawn(request.random() * count);
      if (!request.skip(candidates[index]!)) return index;
    }
    return this.#drawFromAll(request, request.random, none, this.#weigh);
  }

  /**
   * Draws the `first` in proportion to the weights, and the `second` of the others with equal chances: then a choice of
   * the two that is as their weights gives shares as the weights. Either is `none` where there is none to draw.
   */
  drawTwo(request: PickRequest<E>): void {
    const candidates = this.#candidates;
    const count = candidates.length;
    for (let draws = 0; draws < maxDraws && count > 1; draws++) {
      const first = this.#drawn(request.random() * count);
      const place = request.random() * (count - 1);
      const among = place | 0;
      const second = among === first ? count - 1 : among;
      if (request.skip(candidates[first]!) || request.skip(candidates[second]!)) continue;
      this.first = first;
      this.second = second;
      this.lot = place - among;
      return;
    }
    this.lot = request.random();
    this.first = this.draw(request);
    this.second = this.first === none ? none : this.#drawFromAll(request, request.random, this.first, equal);
  }

  #drawn(scaled: number): number {
    const column = scaled | 0;
    return this.#aliases === undefined ? column : this.#aliases.choose(column, scaled - column);
  }

  /** Keeps each in turn with the probability that its weight has among those seen so far. */
  #drawFromAll(
    request: PickRequest<E>,
    random: Random,
    except: number,
    weigh: (candidate: Candidate<E>) => number,
  ): number {
    let drawn = none;
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

/** Parts of a column are counted in units so small that the sign of a difference is its bit 31. */
const whole = 2 ** 31;

class AliasTable {
  /** What part of each column is its own candidate's. */
  readonly #own: Int32Array;
  /** Whose the rest is. */
  readonly #alias: Int32Array;

  constructor(weights: readonly number[]) {
    const count = weights.length;
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const own = weights.map(weight => (weight / total) * count);
    this.#alias = Int32Array.from(weights.keys());
    const small: number[] = [];
    const large: number[] = [];
    for (const [index, share] of own.entries()) (share < 1 ? small : large).push(index);
    while (small.length > 0 && large.length > 0) {
      const less = small.pop()!;
      const more = large.at(-1)!;
      this.#alias[less] = more;
      own[more]! -= 1 - own[less]!;
      if (own[more]! < 1) small.push(large.pop()!);
    }
    // What rounding leaves over is a full column
    for (const index of [...small, ...large]) own[index] = 1;
    this.#own = Int32Array.from(own, part => Math.min(whole - 1, part * whole));
  }

  /** Without a branch, as it would be mispredicted half of the time, which costs more than all of this. */
  choose(column: number, part: number): number {
    const alias = this.#alias[column]!;
    const isOwn = (((part * whole) | 0) - this.#own[column]!) >> 31;
    return alias + ((column - alias) & isOwn);
  }
}
