import { integer } from '@ashlar/core';
import type { Bound, BoundedMap } from '../bounded-map.ts';
import { none } from '../slots/column.ts';
import { PolicyMap } from '../slots/policy-map.ts';
import type { Queue } from '../slots/queue.ts';

export interface S3FifoOptions<K, V> extends Bound<K, V> {
  /** So many hits in the small queue take an entry to the main one, 1 to 3; 1 is better for tiny caches. Default: 2. */
  promoteAfter?: number;
}

/**
 * S3-FIFO (Yang et al., SOSP 2023): a small queue, a tenth of the cache, for new entries; a main queue for those that were
 * hit there; and the keys of entries that the small queue evicted, which go to the main queue when they return. It is fast,
 * and good where many keys are requested once only.
 */
export function s3fifo<K, V>(bound: S3FifoOptions<K, V>): BoundedMap<K, V> {
  return new S3Fifo(bound);
}

const mostHits = 3;
const inMain = 4;

const rules = { promoteAfter: integer(2, { min: 1, max: mostHits }) };

class S3Fifo<K, V> extends PolicyMap<K, V> {
  readonly #small = this.queue();
  readonly #main = this.queue();
  readonly #ghosts = this.queue();
  /** Hits, up to three, and whether it is in the main queue. */
  readonly #marks = this.slots.column(Uint8Array);
  readonly #promoteAfter: number;
  #smallMax = 1;

  constructor(bound: S3FifoOptions<K, V>) {
    super('s3fifo', bound, rules);
    this.#promoteAfter = rules.promoteAfter(bound.promoteAfter, 'promoteAfter');
    this.resized();
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
    this.#marks.cells[slot] = ghost === none ? 0 : inMain;
    (ghost === none ? this.#small : this.#main).push(slot);
  }

  protected override evict(): void {
    if (this.#small.weight < this.#smallMax && this.#main.size > 0) this.#evictMain();
    else this.#evictSmall();
  }

  protected override touch(slot: number): void {
    const marks = this.#marks.cells;
    const mark = marks[slot]!;
    if ((mark & mostHits) < mostHits) marks[slot] = mark + 1;
  }

  protected override queueOf(slot: number): Queue {
    return (this.#marks.cells[slot]! & inMain) === 0 ? this.#small : this.#main;
  }

  protected override resized(): void {
    this.#smallMax = Math.max(1, Math.floor(this.max / 10));
    this.#trimGhosts();
  }

  /** Evicts the oldest that was not hit often; those that were go to the main queue, as long as there is room. */
  #evictSmall(): void {
    const small = this.#small;
    while (small.size > 0 && this.#main.weight <= this.max - this.#smallMax) {
      const oldest = small.tail;
      small.remove(oldest);
      if (this.#marks.cells[oldest]! < this.#promoteAfter) {
        this.fade(oldest);
        this.#ghosts.push(oldest);
        this.#trimGhosts();
        return;
      }
      this.#marks.cells[oldest] = inMain;
      this.#main.push(oldest);
    }
    this.#evictMain();
  }

  #evictMain(): void {
    const marks = this.#marks.cells;
    while (marks[this.#main.tail]! > inMain) {
      marks[this.#main.tail]!--;
      this.#main.refresh(this.#main.tail);
    }
    const oldest = this.#main.tail;
    this.#main.remove(oldest);
    this.leave(oldest);
  }

  #trimGhosts(): void {
    const ghosts = this.#ghosts;
    while (ghosts.weight > this.max - this.#smallMax) {
      const oldest = ghosts.tail;
      ghosts.remove(oldest);
      this.slots.remove(oldest);
    }
  }
}
