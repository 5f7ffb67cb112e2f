import type { Bound, BoundedMap } from '../bounded-map.ts';
import { none } from '../slots/column.ts';
import { PolicyMap } from '../slots/policy-map.ts';
import type { Queue } from '../slots/queue.ts';

/**
 * CLOCK, also known as second chance: a queue whose oldest entry goes back to the front once if it was hit. It has nearly
 * the hit ratio of LRU for less work, and is no better against scans and loops.
 */
export function clock<K, V>(bound: Bound<K, V>): BoundedMap<K, V> {
  return new Clock(bound);
}

class Clock<K, V> extends PolicyMap<K, V> {
  readonly #queue = this.queue();
  readonly #marks = this.slots.column(Uint8Array);

  constructor(bound: Bound<K, V>) {
    super('clock', bound);
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
    while (marks[queue.tail] === 1) {
      marks[queue.tail] = 0;
      queue.refresh(queue.tail);
    }
    const oldest = queue.tail;
    queue.remove(oldest);
    this.leave(oldest);
  }

  protected override touch(slot: number): void {
    this.#marks.cells[slot] = 1;
  }

  protected override queueOf(): Queue {
    return this.#queue;
  }
}
