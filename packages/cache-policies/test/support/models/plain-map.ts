import { InvalidOptionError } from '@ashlar/core';
import type { Bound, BoundedMap, EvictionReason } from '../../../src/index.ts';
import { checkBound, checkMax, weightOf } from '../../../src/slots/bound.ts';

interface Held<V> {
  value: V;
  weight: number;
}

/** A bounded map as plainly as it can be said; its victim is the oldest. Faults are put into it, one at a time. */
export class PlainMap<K, V> implements BoundedMap<K, V> {
  protected held: Map<K, Held<V>> = new Map();
  protected used: number = 0;
  protected max: number;
  protected readonly bound: Bound<K, V>;
  #told: [K, V, EvictionReason][] = [];

  constructor(bound: Bound<K, V>) {
    this.check(bound);
    this.bound = bound;
    this.max = bound.max;
  }

  get size(): number {
    return this.held.size;
  }

  get(key: K): V | undefined {
    return this.peek(key);
  }

  peek(key: K): V | undefined {
    return this.held.get(key)?.value;
  }

  has(key: K): boolean {
    return this.held.has(key);
  }

  set(key: K, value: V): this {
    this.refuse(value);
    const weight = this.weigh(key, value);
    const old = this.held.get(key);
    if (old !== undefined) this.replaced(key, old);
    if (weight > this.max) {
      this.tell(key, value, 'capacity');
    } else {
      while (this.tooMuch(weight)) this.evict();
      this.held.set(key, { value, weight });
      this.used += weight;
    }
    this.flush();
    return this;
  }

  delete(key: K): boolean {
    const held = this.held.get(key);
    if (held === undefined) return false;
    this.drop(key, held);
    this.tell(key, held.value, 'deleted');
    this.flush();
    return true;
  }

  clear(): void {
    for (const [key, { value }] of this.held) this.tell(key, value, 'deleted');
    this.held.clear();
    this.used = 0;
    this.flush();
  }

  resize(max: number): void {
    this.max = checkMax(max);
    while (this.used > this.max) this.evict();
    this.flush();
  }

  *[Symbol.iterator](): IterableIterator<[K, V]> {
    for (const [key, { value }] of [...this.held]) if (this.held.has(key)) yield [key, value];
  }

  protected check(bound: Bound<K, V>): void {
    checkBound('plain', bound);
  }

  protected refuse(value: V): void {
    if (value === undefined) throw new InvalidOptionError('value', 'undefined');
  }

  protected weigh(key: K, value: V): number {
    return weightOf(this.bound.weigh, key, value);
  }

  protected tooMuch(weight: number): boolean {
    return this.used + weight > this.max;
  }

  protected replaced(key: K, old: Held<V>): void {
    this.drop(key, old);
    this.tell(key, old.value, 'replaced');
  }

  protected evict(): void {
    for (const [key, held] of this.held) {
      this.drop(key, held);
      this.tell(key, held.value, 'capacity');
      return;
    }
    throw new Error('There is nothing to evict');
  }

  protected drop(key: K, { weight }: Held<V>): void {
    this.held.delete(key);
    this.used -= weight;
  }

  protected tell(key: K, value: V, reason: EvictionReason): void {
    if (this.bound.onEvict !== undefined) this.#told.push([key, value, reason]);
  }

  protected flush(): void {
    const told = this.#told;
    this.#told = [];
    const errors: unknown[] = [];
    for (const [key, value, reason] of told) {
      try {
        this.bound.onEvict!(key, value, reason);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
