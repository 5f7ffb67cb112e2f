import type { Bound } from '../../bounded-map.ts';
import { none } from '../../slots/column.ts';
import { PolicyMap } from '../../slots/policy-map.ts';
import type { Queue } from '../../slots/queue.ts';

/** An LRU on the entries that the other policies have, so that it can hand them over. */
export class Recency<K, V> extends PolicyMap<K, V> {
  readonly #queue = this.queue();

  constructor(bound: Bound<K, V>) {
    super('auto', bound);
  }

  override get(key: K): V | undefined {
    const slot = this.slots.find(key);
    if (slot === none) return undefined;
    this.#queue.refresh(slot);
    return this.slots.value(slot);
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

  protected override touch(slot: number): void {
    this.#queue.refresh(slot);
  }

  protected override queueOf(): Queue {
    return this.#queue;
  }
}
