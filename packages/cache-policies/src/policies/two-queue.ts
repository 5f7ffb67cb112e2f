import type { Bound, BoundedMap } from '../bounded-map.ts';
import { none } from '../slots/column.ts';
import { PolicyMap } from '../slots/policy-map.ts';
import type { Queue } from '../slots/queue.ts';

/**
 * 2Q (Johnson and Shasha, VLDB 1994), the full version: new entries pass through a queue, a quarter of the cache, where hits
 * do not count. It remembers half as many evicted keys as the bound; a key that is requested again then goes to an LRU.
 */
export function twoQueue<K, V>(bound: Bound<K, V>): BoundedMap<K, V> {
  return new TwoQueue(bound);
}

export class TwoQueue<K, V> extends PolicyMap<K, V> {
  readonly #incoming = this.queue();
  readonly #ghosts = this.queue();
  readonly #main = this.queue();
  readonly #inMain = this.slots.column(Uint8Array);

  constructor(bound: Bound<K, V>) {
    super('twoQueue', bound);
  }

  override get(key: K): V | undefined {
    const slot = this.slots.find(key);
    if (slot === none) return undefined;
    const value = this.slots.value(slot);
    if (value !== undefined) this.touch(slot);
    return value;
  }

  protected override admit(key: K, value: V, weight: number, ghost: number): void {
    if (ghost !== none) this.#ghosts.remove(ghost);
    while (this.used + weight > this.max) this.evict();
    const slot = this.add(key, value, weight, ghost);
    this.#inMain.cells[slot] = ghost === none ? 0 : 1;
    this.queueOf(slot).push(slot);
  }

  protected override evict(): void {
    const fromMain = this.#main.size > 0 && this.#incoming.weight <= Math.floor(this.max / 4);
    const queue = fromMain ? this.#main : this.#incoming;
    const oldest = queue.tail;
    queue.remove(oldest);
    if (fromMain) {
      this.leave(oldest);
    } else {
      this.fade(oldest);
      this.#ghosts.push(oldest);
      this.#trimGhosts();
    }
  }

  protected override touch(slot: number): void {
    if (this.#inMain.cells[slot] === 1) this.#main.refresh(slot);
  }

  protected override queueOf(slot: number): Queue {
    return this.#inMain.cells[slot] === 1 ? this.#main : this.#incoming;
  }

  protected override resized(): void {
    this.#trimGhosts();
  }

  #trimGhosts(): void {
    const ghosts = this.#ghosts;
    while (ghosts.weight > Math.floor(this.max / 2)) {
      const oldest = ghosts.tail;
      ghosts.remove(oldest);
      this.slots.remove(oldest);
    }
  }
}
