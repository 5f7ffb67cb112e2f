import type { Rule } from '@ashlar/core';
import type { Bound, BoundedMap } from '../bounded-map.ts';
import { checkBound, checkMax, checkValue, Departures, weightOf } from './bound.ts';
import type { Column } from './column.ts';
import { none } from './column.ts';
import { Queue } from './queue.ts';
import { SlotStore } from './slot-store.ts';

export type Taker<K, V> = (key: K, value: V, weight: number) => void;

/**
 * The bookkeeping of all policies that keep their entries in queues, so that a policy decides only where an entry goes. Each
 * policy has its own `get`, so that the hot path is compiled for it alone.
 */
export abstract class PolicyMap<K, V> implements BoundedMap<K, V> {
  protected readonly slots: SlotStore<K, V> = new SlotStore<K, V>();
  protected max: number;
  /** The weight of all entries, ghosts not included. */
  protected used = 0;
  readonly #weigh: ((key: K, value: V) => number) | undefined;
  readonly #weights: Column<Float64Array> | undefined;
  readonly #departures: Departures<K, V> | undefined;
  readonly #queues: Queue[] = [];
  readonly #links = this.slots.links();
  #size = 0;
  /** Takes evicted entries instead of `onEvict`, while one is handed over. */
  #taker: Taker<K, V> | undefined;

  /** `options` are the rules of the policy's own options. */
  constructor(policy: string, bound: Bound<K, V>, options: Readonly<Record<string, Rule<unknown>>> = {}) {
    checkBound(policy, bound, options);
    const { max, weigh, onEvict } = bound;
    this.max = max;
    this.#weigh = weigh;
    this.#weights = weigh && this.slots.column(Float64Array);
    this.#departures = onEvict && new Departures(onEvict);
  }

  abstract get(key: K): V | undefined;
  /** Makes room and stores; `ghost` is the slot of the key's ghost, or `none`. */
  protected abstract admit(key: K, value: V, weight: number, ghost: number): void;
  /** Evicts one entry: unlinks it, then lets it `leave` or `fade`. */
  protected abstract evict(): void;
  /** Counts a hit of an entry that was replaced. */
  protected abstract touch(slot: number): void;
  /** The queue that an entry is on. */
  protected abstract queueOf(slot: number): Queue;
  /** Called before an entry is deleted, or all of them (`none`); and after the bound was changed. */
  protected forget?(slot: number): void;
  protected resized?(): void;

  get size(): number {
    return this.#size;
  }

  peek(key: K): V | undefined {
    const slot = this.slots.find(key);
    return slot === none ? undefined : this.slots.value(slot);
  }

  has(key: K): boolean {
    return this.peek(key) !== undefined;
  }

  set(key: K, value: V): this {
    checkValue(key, value);
    const weight = weightOf(this.#weigh, key, value);
    const slot = this.slots.findAgain(key);
    const old = slot === none ? undefined : this.slots.value(slot);
    if (old !== undefined) this.#replace(slot, key, old, value, weight);
    else if (weight > this.max) this.#departures?.add(key, value, 'capacity');
    else this.admit(key, value, weight, slot);
    this.#departures?.notify();
    return this;
  }

  /** The weight of all entries. */
  get weight(): number {
    return this.used;
  }

  /** Hands over the entry that the policy would evict, without `onEvict`. There must be one. */
  shed(taker: Taker<K, V>): void {
    this.#taker = taker;
    this.evict();
    this.#taker = undefined;
  }

  /** Hands over the entry of a key, if present, without `onEvict`. */
  pull(key: K, taker: Taker<K, V>): void {
    const slot = this.slots.find(key);
    const value = slot === none ? undefined : this.slots.value(slot);
    if (value === undefined) return;
    const weight = this.queueOf(slot).weightOf(slot);
    this.#remove(slot);
    taker(key, value, weight);
  }

  delete(key: K): boolean {
    const slot = this.slots.find(key);
    const value = slot === none ? undefined : this.slots.value(slot);
    if (value === undefined) return false;
    this.#remove(slot);
    this.#departures?.add(key, value, 'deleted');
    this.#departures?.notify();
    return true;
  }

  clear(): void {
    if (this.#departures !== undefined) {
      for (const [key, value] of this) this.#departures.add(key, value, 'deleted');
    }
    this.slots.clear();
    for (const queue of this.#queues) queue.clear();
    this.used = 0;
    this.#size = 0;
    this.forget?.(none);
    this.#departures?.notify();
  }

  resize(max: number): void {
    this.max = checkMax(max);
    this.resized?.();
    while (this.used > this.max) this.evict();
    this.#departures?.notify();
  }

  *[Symbol.iterator](): IterableIterator<[K, V]> {
    const { slots } = this;
    for (let slot = 0; slot < slots.length; slot++) {
      const value = slots.value(slot);
      if (value !== undefined) yield [slots.key(slot), value];
    }
  }

  protected queue(): Queue {
    const queue = new Queue(this.slots, this.#links, this.#weights);
    this.#queues.push(queue);
    return queue;
  }

  /** Stores an entry, on no queue yet; a ghost must be off its queue. */
  protected add(key: K, value: V, weight: number, ghost: number = none): number {
    const slot = ghost === none ? this.slots.add(key, value) : ghost;
    if (ghost !== none) this.slots.setValue(slot, value);
    if (this.#weights !== undefined) this.#weights.cells[slot] = weight;
    this.used += weight;
    this.#size++;
    return slot;
  }

  /** Removes an evicted entry, which must be on no queue. */
  protected leave(slot: number): void {
    this.fade(slot);
    this.slots.remove(slot);
  }

  /** Removes an evicted entry and keeps its key as a ghost. */
  protected fade(slot: number): void {
    const weight = this.#weights === undefined ? 1 : this.#weights.cells[slot]!;
    this.used -= weight;
    this.#size--;
    if (this.#taker !== undefined || this.#departures !== undefined) this.#notify(slot, weight);
    else this.slots.setValue(slot, undefined);
  }

  #notify(slot: number, weight: number): void {
    const key = this.slots.key(slot);
    const value = this.slots.value(slot) as V;
    this.slots.setValue(slot, undefined);
    if (this.#taker === undefined) this.#departures?.add(key, value, 'capacity');
    else this.#taker(key, value, weight);
  }

  #remove(slot: number): void {
    this.forget?.(slot);
    const queue = this.queueOf(slot);
    queue.remove(slot);
    this.used -= queue.weightOf(slot);
    this.#size--;
    this.slots.remove(slot);
  }

  #replace(slot: number, key: K, old: V, value: V, weight: number): void {
    this.#departures?.add(key, old, 'replaced');
    if (weight > this.max) {
      this.#remove(slot);
      this.#departures?.add(key, value, 'capacity');
      return;
    }
    this.slots.setValue(slot, value);
    if (this.#weights !== undefined) {
      const queue = this.queueOf(slot);
      this.used += weight - queue.weightOf(slot);
      queue.reweigh(slot, weight);
    }
    this.touch(slot);
    while (this.used > this.max) this.evict();
  }
}
