import { number, orFalse } from '@ashlar/core';
import type { Bound, BoundedMap } from '../bounded-map.ts';
import { none } from '../slots/column.ts';
import { PolicyMap } from '../slots/policy-map.ts';
import type { Queue } from '../slots/queue.ts';

export interface LfuOptions<K, V> extends Bound<K, V> {
  /** All counts are halved after this many requests for each entry; `false` never halves them. Default: 10. */
  ageAfter?: number | false;
}

/**
 * Evicts the least frequently used entry; among equals, the one that reached its count first. All counts are halved from time
 * to time, so that entries that were popular once leave. Every operation takes constant time; halving takes as many steps as
 * there are different counts.
 */
export function lfu<K, V>(bound: LfuOptions<K, V>): BoundedMap<K, V> {
  return new Lfu(bound);
}

const rules = { ageAfter: orFalse(number(10, { above: 0 })) };

/** One queue in the order of the counts. The newest of each count is known, so that the place of the next is. */
class Lfu<K, V> extends PolicyMap<K, V> {
  readonly #queue = this.queue();
  readonly #counts = this.slots.column(Int32Array);
  /** How many halvings a slot's count has been through: it makes up for the others when it is read. */
  readonly #halvings = this.slots.column(Int32Array);
  readonly #ageAfter: number;
  #newest = new Map<number, number>();
  #halved = 0;
  #requests = 0;

  constructor(bound: LfuOptions<K, V>) {
    super('lfu', bound, rules);
    this.#ageAfter = rules.ageAfter(bound.ageAfter, 'ageAfter') ?? Infinity;
  }

  override get(key: K): V | undefined {
    const slot = this.slots.find(key);
    if (slot === none) return undefined;
    this.touch(slot);
    return this.slots.value(slot);
  }

  protected override admit(key: K, value: V, weight: number): void {
    while (this.used + weight > this.max) this.evict();
    const slot = this.add(key, value, weight);
    this.#place(slot, 1, this.#newest.get(0) ?? this.#queue.sentinel);
    this.#age();
  }

  protected override evict(): void {
    const least = this.#queue.tail;
    this.#withdraw(least);
    this.#queue.remove(least);
    this.leave(least);
  }

  protected override touch(slot: number): void {
    const count = this.#countOf(slot);
    this.#withdraw(slot);
    const older = this.#newest.get(count) ?? this.#queue.older(slot);
    this.#queue.remove(slot);
    this.#place(slot, count + 1, older);
    this.#age();
  }

  protected override forget(slot: number): void {
    if (slot !== none) {
      this.#withdraw(slot);
    } else {
      this.#newest.clear();
      this.#requests = 0;
    }
  }

  protected override queueOf(): Queue {
    return this.#queue;
  }

  #countOf(slot: number): number {
    return this.#counts.cells[slot]! >> Math.min(31, this.#halved - this.#halvings.cells[slot]!);
  }

  /** Behind those of its count, or behind `older` if it is the first. */
  #place(slot: number, count: number, older: number): void {
    this.#queue.pushAfter(slot, this.#newest.get(count) ?? older);
    this.#newest.set(count, slot);
    this.#counts.cells[slot] = count;
    this.#halvings.cells[slot] = this.#halved;
  }

  /** It is the newest of its count no more. */
  #withdraw(slot: number): void {
    const count = this.#countOf(slot);
    if (this.#newest.get(count) !== slot) return;
    const older = this.#queue.older(slot);
    if (older !== this.#queue.sentinel && this.#countOf(older) === count) this.#newest.set(count, older);
    else this.#newest.delete(count);
  }

  #age(): void {
    if (++this.#requests < this.#ageAfter * this.size) return;
    this.#requests = 0;
    this.#halved++;
    const newest = new Map<number, number>();
    // In the order of the counts the later of two that become one is the newer
    for (const count of [...this.#newest.keys()].sort((a, b) => a - b)) {
      newest.set(count >> 1, this.#newest.get(count)!);
    }
    this.#newest = newest;
  }
}
