import assert from 'node:assert/strict';
import type { BoundedMap, Eviction, EvictionReason } from '../../bounded-map.ts';

export interface Departure<K, V> {
  readonly key: K;
  readonly value: V;
  readonly reason: EvictionReason;
}

/**
 * A map under audit: after each operation it must hold what was stored less what `onEvict` said has left, within the
 * bound, and no entry may have left without need.
 */
export class Ledger<K, V> {
  readonly map: BoundedMap<K, V>;
  readonly #held = new Map<K, { value: V; weight: number }>();
  readonly #weigh: (key: K, value: V) => number;
  readonly #weighed: boolean;
  #max: number;
  #noticed: Departure<K, V>[] = [];

  constructor(eviction: Eviction, max: number, weigh?: (key: K, value: V) => number) {
    this.#max = max;
    this.#weigh = weigh ?? (() => 1);
    this.#weighed = weigh !== undefined;
    const onEvict = (key: K, value: V, reason: EvictionReason) => {
      this.#noticed.push({ key, value, reason });
    };
    this.map = eviction<K, V>({ max, onEvict, ...(weigh === undefined ? {} : { weigh }) });
  }

  get keys(): K[] {
    return [...this.#held.keys()];
  }

  get weight(): number {
    return [...this.#held.values()].reduce((sum, { weight }) => sum + weight, 0);
  }

  /** Returns what left, in the order of the notices. */
  set(key: K, value: V): Departure<K, V>[] {
    const before = this.#held.get(key);
    const weight = this.#weigh(key, value);
    assert.equal(this.map.set(key, value), this.map, 'set returns the map');
    const left = this.#take();
    const replaced = left.filter(({ reason }) => reason === 'replaced');
    const expected = before === undefined ? [] : [{ key, value: before.value, reason: 'replaced' }];
    assert.deepEqual(replaced, expected, 'a replaced value is notified of, once');
    this.#held.set(key, { value, weight });
    const evicted = left.filter(({ reason }) => reason !== 'replaced');
    if (weight > this.#max) {
      assert.deepEqual(evicted, [{ key, value, reason: 'capacity' }], 'only what is too heavy goes');
    }
    this.#evicted(evicted);
    this.#audit();
    return left;
  }

  get(key: K): V | undefined {
    const value = this.map.get(key);
    assert.equal(value, this.#held.get(key)?.value, 'get returns what was stored');
    this.#audit();
    return value;
  }

  delete(key: K): void {
    const held = this.#held.get(key);
    assert.equal(this.map.delete(key), held !== undefined, 'delete returns whether the key was there');
    const expected = held === undefined ? [] : [{ key, value: held.value, reason: 'deleted' }];
    assert.deepEqual(this.#take(), expected, 'a deleted value is notified of, once');
    this.#held.delete(key);
    this.#audit();
  }

  clear(): void {
    this.map.clear();
    const left = this.#take();
    assert.equal(left.length, this.#held.size, 'every entry is notified of once when all are deleted');
    for (const { key, value, reason } of left) {
      assert.equal(reason, 'deleted');
      assert.ok(Object.is(this.#held.get(key)?.value, value));
      this.#held.delete(key);
    }
    this.#audit();
  }

  resize(max: number): Departure<K, V>[] {
    this.map.resize(max);
    this.#max = max;
    const left = this.#take();
    this.#evicted(left);
    this.#audit();
    return left;
  }

  #take(): Departure<K, V>[] {
    const noticed = this.#noticed;
    this.#noticed = [];
    return noticed;
  }

  /** The last of them was still too much: whatever the policy, it stops when the rest fits. */
  #evicted(left: readonly Departure<K, V>[]): void {
    for (const { key, value, reason } of left) {
      const held = this.#held.get(key);
      assert.equal(reason, 'capacity');
      assert.ok(held !== undefined && Object.is(held.value, value), 'what `onEvict` says has left was there');
      assert.ok(this.weight > this.#max, 'nothing is evicted while all fits');
      this.#held.delete(key);
    }
  }

  #audit(): void {
    const { map } = this;
    assert.deepEqual(this.#noticed, [], 'no notice comes out of turn');
    assert.equal(map.size, this.#held.size, 'the size is the number of entries');
    assert.ok(this.weight <= this.#max, `${this.weight} is over the bound of ${this.#max}`);
    assert.ok(this.#weighed || map.size <= this.#max);
    const seen = [...map];
    assert.equal(seen.length, this.#held.size, 'iteration gives every entry once');
    for (const [key, value] of seen) assert.ok(Object.is(this.#held.get(key)?.value, value));
    for (const [key, { value }] of this.#held) {
      assert.equal(map.has(key), true);
      assert.ok(Object.is(map.peek(key), value));
    }
  }
}
