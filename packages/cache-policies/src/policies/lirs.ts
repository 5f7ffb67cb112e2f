import type { Bound, BoundedMap } from '../bounded-map.ts';
import { none } from '../slots/column.ts';
import { PolicyMap } from '../slots/policy-map.ts';
import { Queue } from '../slots/queue.ts';

const lowShare = 0.99;
/** How many times the bound may be remembered of keys that have left. */
const ghostShare = 2;

const arriving = 0;
const low = 1;
const high = 2;
const ghost = 3;

/**
 * LIRS (Jiang, Zhang, SIGMETRICS 2002): keeps the keys whose last two requests were close to each other, by the number of
 * other keys in between. New keys share 1 % of the room. It is unequaled on loops and scans that are larger than the cache,
 * and slow to evict keys that were popular once. It remembers evicted keys, up to twice the bound.
 */
export function lirs<K, V>(bound: Bound<K, V>): BoundedMap<K, V> {
  return new Lirs(bound);
}

export class Lirs<K, V> extends PolicyMap<K, V> {
  /** By recency, the newest at its head: all of low distance, and what came since the oldest of those. */
  readonly #stack = new Queue(this.slots, this.slots.links());
  readonly #stacked = this.slots.column(Uint8Array);
  readonly #states = this.slots.column(Uint8Array);
  readonly #low = this.queue();
  readonly #high = this.queue();
  readonly #ghosts = this.queue();
  #lowMax = 0;

  constructor(bound: Bound<K, V>) {
    super('lirs', bound);
    this.#lowMax = Math.floor(this.max * lowShare);
  }

  override get(key: K): V | undefined {
    const slot = this.slots.find(key);
    if (slot === none) return undefined;
    const value = this.slots.value(slot);
    if (value !== undefined) this.touch(slot);
    return value;
  }

  protected override touch(slot: number): void {
    const wasStacked = this.#stacked.cells[slot] === 1;
    if (this.#states.cells[slot] === low) {
      this.#stack.refresh(slot);
      this.#demote();
      return;
    }
    const wasNewest = this.#stack.head === slot;
    this.#onTop(slot);
    if (wasStacked && !wasNewest) {
      this.#high.remove(slot);
      this.#makeLow(slot);
    } else this.#high.refresh(slot);
  }

  protected override admit(key: K, value: V, weight: number, remembered: number): void {
    if (remembered !== none) {
      this.#ghosts.remove(remembered);
      this.#states.cells[remembered] = arriving;
    }
    const first = this.#low.weight + weight <= this.#lowMax;
    const room = this.used + weight <= this.max;
    while (this.used + weight > this.max) this.evict();
    const slot = this.add(key, value, weight, remembered);
    if (remembered === none) this.#stacked.cells[slot] = 0;
    const wasStacked = this.#stacked.cells[slot] === 1;
    if (first || !room || wasStacked) this.#onTop(slot);
    if (first || (wasStacked && !room)) this.#makeLow(slot);
    else {
      this.#states.cells[slot] = high;
      this.#high.push(slot);
    }
  }

  protected override evict(): void {
    if (this.#high.size === 0) this.#demoteOldest();
    const oldest = this.#high.tail;
    this.#high.remove(oldest);
    if (this.#stacked.cells[oldest] === 1) {
      this.fade(oldest);
      this.#states.cells[oldest] = ghost;
      this.#ghosts.push(oldest);
    } else this.leave(oldest);
    this.#prune();
  }

  protected override queueOf(slot: number): Queue {
    return this.#states.cells[slot] === low ? this.#low : this.#high;
  }

  protected override forget(slot: number): void {
    if (slot === none) this.#stack.clear();
    else if (this.#stacked.cells[slot] === 1) {
      this.#stack.remove(slot);
      this.#prune();
    }
  }

  protected override resized(): void {
    this.#lowMax = Math.floor(this.max * lowShare);
    this.#demote();
  }

  #onTop(slot: number): void {
    if (this.#stacked.cells[slot] === 1) this.#stack.refresh(slot);
    else {
      this.#stacked.cells[slot] = 1;
      this.#stack.push(slot);
    }
  }

  #makeLow(slot: number): void {
    this.#states.cells[slot] = low;
    this.#low.push(slot);
    this.#demote();
  }

  /** Brings those of low distance within their share, from the one whose last request is the longest ago. */
  #demote(): void {
    while (this.#low.weight > this.#lowMax) this.#demoteOldest();
    this.#prune();
  }

  #demoteOldest(): void {
    this.#prune();
    const oldest = this.#stack.tail;
    this.#stack.remove(oldest);
    this.#stacked.cells[oldest] = 0;
    this.#low.remove(oldest);
    this.#states.cells[oldest] = high;
    this.#high.push(oldest);
  }

  /** The oldest of the stack has a low distance; what is older has not the chance to get one. And history is bounded. */
  #prune(): void {
    const { sentinel } = this.#stack;
    for (let oldest = this.#stack.tail; oldest !== sentinel; oldest = this.#stack.tail) {
      if (this.#states.cells[oldest] === low) break;
      this.#unstack(oldest);
    }
    while (this.#ghosts.weight > ghostShare * this.max) this.#unstack(this.#ghosts.tail);
  }

  #unstack(slot: number): void {
    this.#stack.remove(slot);
    this.#stacked.cells[slot] = 0;
    if (this.#states.cells[slot] !== ghost) return;
    this.#ghosts.remove(slot);
    this.slots.remove(slot);
  }
}
