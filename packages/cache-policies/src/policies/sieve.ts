import type { Bound, BoundedMap } from '../bounded-map.ts';
import { none } from '../slots/column.ts';
import { PolicyMap } from '../slots/policy-map.ts';
import type { Queue } from '../slots/queue.ts';

/**
 * SIEVE (Zhang et al., NSDI 2024): one queue, a mark for each entry that was hit, and a hand that moves from old to new,
 * removes marks and evicts the first entry without one. It is the fastest of all, and good where a few keys are much more
 * popular than the rest; scans and loops flush it.
 */
export function sieve<K, V>(bound: Bound<K, V>): BoundedMap<K, V> {
  return new Sieve(bound);
}

class Sieve<K, V> extends PolicyMap<K, V> {
  readonly #queue = this.queue();
  readonly #marks = this.slots.column(Uint8Array);
  /** Where the hand goes on: the sentinel is before the oldest. */
  #hand = this.#queue.sentinel;

  constructor(bound: Bound<K, V>) {
    super('sieve', bound);
  }

  override get(key: K): V | undefined {
    const slot = this.slots.find(key);
    if (slot === none) return undefined;
    this.#marks.cells[slot] = 1;
    return this.slots.value(slot);
  }

  protected override admit(key: K, value: V, weight: number): void {
    while (this.used + weight > this.max) this.evict();
    const slot = this.add(key, value, weight);
    this.#marks.cells[slot] = 0;
    this.#queue.push(slot);
  }

  protected override evict(): void {
    const queue = this.#queue;
    const marks = this.#marks.cells;
    let at = this.#hand === queue.sentinel ? queue.tail : this.#hand;
    while (marks[at] === 1) {
      marks[at] = 0;
      at = queue.newer(at);
      if (at === queue.sentinel) at = queue.tail;
    }
    this.#hand = queue.newer(at);
    queue.remove(at);
    this.leave(at);
  }

  protected override touch(slot: number): void {
    this.#marks.cells[slot] = 1;
  }

  protected override forget(slot: number): void {
    if (slot === none) this.#hand = this.#queue.sentinel;
    else if (slot === this.#hand) this.#hand = this.#queue.newer(slot);
  }

  protected override queueOf(): Queue {
    return this.#queue;
  }
}
