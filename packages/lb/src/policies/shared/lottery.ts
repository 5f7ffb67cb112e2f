import type { Random } from '@ashlar/core';
import type { Endpoint } from '../../endpoint.ts';
import type { Candidate, PickRequest } from '../../policy.ts';

/** The result of a draw without candidates. */
export const none = -1;

/** Draws before a full scan: enough to make scans rare when half of the candidates must be skipped. */
const maxDraws = 6;

/**
 * Draws candidates in proportion to their weights, in constant time (the alias method, in Vose's form). A draw of a skipped
 * candidate is repeated, so that the others keep their proportions.
 */
export class Lottery<E extends Endpoint> {
  /** The result of the latest `drawTwo`, in fields, so that it need not allocate. */
  first: number = none;
  second: number = none;
  /** A random number in [0, 1), independent of the two drawn. */
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

  /** The index of a candidate that is not skipped; `none` when there is none. */
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
   * Draws `first` in proportion to the weights, and `second` from the others with equal chances: a choice between the two in
   * proportion to their weights then gives shares in proportion to the weights. Either is `none` without candidates.
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

  /** Reservoir sampling: keeps each in turn with the probability of its weight among those seen so far. */
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

/** Parts of a column are counted in units such that bit 31 is the sign of a difference. */
const whole = 2 ** 31;

class AliasTable {
  /** The part of each column that belongs to its own candidate. */
  readonly #own: Int32Array;
  /** The candidate that has the rest. */
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
    // Columns left over by rounding are full
    for (const index of [...small, ...large]) own[index] = 1;
    this.#own = Int32Array.from(own, part => Math.min(whole - 1, part * whole));
  }

  /** Without a branch: it would be mispredicted half of the time, which costs more. */
  choose(column: number, part: number): number {
    const alias = this.#alias[column]!;
    const isOwn = (((part * whole) | 0) - this.#own[column]!) >> 31;
    return alias + ((column - alias) & isOwn);
  }
}
