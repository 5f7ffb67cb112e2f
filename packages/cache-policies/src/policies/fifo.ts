import type { Bound, BoundedMap } from '../bounded-map.ts';
import { none } from '../slots/column.ts';
import { PolicyMap } from '../slots/policy-map.ts';
import type { Queue } from '../slots/queue.ts';

/** Evicts what was stored first; a replaced value keeps its place. */
export function fifo<K, V>(bound: Bound<K, V>): BoundedMap<K, V> {
  return new Fifo(bound);
}

class Fifo<K, V> extends PolicyMap<K, V> {
  readonly #queue = this.queue();

  constructor(bound: Bound<K, V>) {
    super('fifo', bound);
  }

  override get(key: K): V | undefined {
    const slot = this.slots.find(key);
    return slot === none ? undefined : this.slots.value(slot);
  }

  protected override admit(key: K, value: V, weight: number): void {
    while (this.used + weight > this.max) this.evict();
    this.#queue.push(this.add(key, value, weight));
  }

  protected override evict(): void {
    const oldest = this.#queue.tail;
    this.#queue.remove(oldest);
    this.leave(oldest);
  }

  protected override touch(): void {}

  protected override queueOf(): Queue {
    return this.#queue;
  }
}
