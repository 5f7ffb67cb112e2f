import type { Bound, BoundedMap } from '../bounded-map.ts';
import { none } from '../slots/column.ts';
import { PolicyMap } from '../slots/policy-map.ts';
import type { Queue } from '../slots/queue.ts';

const once = 0;
const often = 1;
const onceGone = 2;
const oftenGone = 3;

/**
 * ARC (Megiddo, Modha, FAST 2003), with an integer target as in Caffeine's simulator: keys that came once and keys that came
 * more often are in two LRUs. The returning keys that each of them evicted decide which of the two grows. It remembers as
 * many evicted keys as there are entries.
 */
export function arc<K, V>(bound: Bound<K, V>): BoundedMap<K, V> {
  return new Arc(bound);
}

class Arc<K, V> extends PolicyMap<K, V> {
  readonly #once = this.queue();
  readonly #often = this.queue();
  readonly #onceGone = this.queue();
  readonly #oftenGone = this.queue();
  readonly #places = this.slots.column(Uint8Array);
  /** The weight that those which came once should have. */
  #target = 0;

  constructor(bound: Bound<K, V>) {
    super('arc', bound);
  }

  override get(key: K): V | undefined {
    const slot = this.slots.find(key);
    if (slot === none) return undefined;
    const value = this.slots.value(slot);
    if (value !== undefined) this.touch(slot);
    return value;
  }

  protected override touch(slot: number): void {
    if (this.#places.cells[slot] === often) this.#often.refresh(slot);
    else {
      this.#once.remove(slot);
      this.#put(slot, often, this.#often);
    }
  }

  protected override admit(key: K, value: V, weight: number, ghost: number): void {
    if (ghost === none) {
      this.#makeRoom(weight);
      this.#put(this.add(key, value, weight), once, this.#once);
      return;
    }
    const wasOften = this.#places.cells[ghost] === oftenGone;
    const [own, other] = wasOften ? [this.#oftenGone, this.#onceGone] : [this.#onceGone, this.#oftenGone];
    const step = weight * Math.max(1, Math.floor(other.weight / own.weight));
    this.#target = Math.max(0, Math.min(this.max, this.#target + (wasOften ? -step : step)));
    own.remove(ghost);
    while (this.used + weight > this.max) this.#replace(wasOften);
    this.#put(this.add(key, value, weight, ghost), often, this.#often);
    this.#forgetOld(0);
  }

  protected override evict(): void {
    this.#replace(false);
    this.#forgetOld(0);
  }

  protected override queueOf(slot: number): Queue {
    return this.#places.cells[slot] === once ? this.#once : this.#often;
  }

  protected override forget(slot: number): void {
    if (slot === none) this.#target = 0;
  }

  protected override resized(): void {
    this.#target = Math.min(this.#target, this.max);
  }

  #makeRoom(weight: number): void {
    while (this.used + weight > this.max && this.#once.weight + weight > this.max) {
      if (this.#onceGone.size > 0) this.#remove(this.#onceGone.tail, this.#onceGone);
      else {
        const oldest = this.#once.tail;
        this.#once.remove(oldest);
        this.leave(oldest);
      }
    }
    this.#forgetOld(weight);
    while (this.used + weight > this.max) this.#replace(false);
    this.#forgetOld(weight);
  }

  /** One of the entries becomes a ghost. */
  #replace(forOften: boolean): void {
    const { weight, size } = this.#once;
    const fromOnce = size > 0 && (weight > this.#target || (forOften && weight === this.#target));
    const [from, place, to] =
      fromOnce || this.#often.size === 0
        ? ([this.#once, onceGone, this.#onceGone] as const)
        : ([this.#often, oftenGone, this.#oftenGone] as const);
    const oldest = from.tail;
    from.remove(oldest);
    this.fade(oldest);
    this.#put(oldest, place, to);
  }

  /** What came once is at most the bound, ghosts included, and all at most twice the bound, also with `weight` more. */
  #forgetOld(weight: number): void {
    const [onceGone, oftenGone] = [this.#onceGone, this.#oftenGone];
    while (onceGone.size > 0 && this.#once.weight + onceGone.weight + weight > this.max) {
      this.#remove(onceGone.tail, onceGone);
    }
    while (oftenGone.size > 0 && this.used + onceGone.weight + oftenGone.weight + weight > 2 * this.max) {
      this.#remove(oftenGone.tail, oftenGone);
    }
  }

  #remove(ghost: number, queue: Queue): void {
    queue.remove(ghost);
    this.slots.remove(ghost);
  }

  #put(slot: number, place: number, queue: Queue): void {
    this.#places.cells[slot] = place;
    queue.push(slot);
  }
}
