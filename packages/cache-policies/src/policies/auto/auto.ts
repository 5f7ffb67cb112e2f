import type { Bound, BoundedMap } from '../../bounded-map.ts';
import { checkBound, checkMax, checkValue, Departures, weightOf } from '../../slots/bound.ts';
import { KeyHash } from '../../slots/key-hash.ts';
import type { PolicyMap } from '../../slots/policy-map.ts';
import { candidates } from './candidates.ts';
import { Contest } from './contest.ts';
import { Followed, plain } from './followed.ts';

export interface AutoMap<K, V> extends BoundedMap<K, V> {
  /** The policy that it runs now. */
  readonly policy: string;
}

/** How many entries each operation hands over after a change. */
const handedOver = 4;

/**
 * Runs the policy that is best for the workload: small shadows of all candidates follow a sample of the keys, and when
 * another one does clearly better its turn comes. The entries are handed over a few with each operation, those that the old
 * policy would have given up first being the first; none is dropped for the change.
 */
export function auto<K, V>(bound: Bound<K, V>): AutoMap<K, V> {
  return new Auto(bound);
}

/** What its maps hold: the value, and for keys of the sample what the contest must know of them besides. */
type Held<V> = V | Followed<V>;

class Auto<K, V> implements AutoMap<K, V> {
  #bound: Bound<K, V>;
  readonly #departures: Departures<K, V> | undefined;
  readonly #seed: number;
  readonly #hash: KeyHash;
  #current = 0;
  #live: PolicyMap<K, Held<V>>;
  /** The map of the policy before, until all is handed over. */
  #old: PolicyMap<K, Held<V>> | undefined;
  #contest: Contest | undefined;
  /** The weight of what is being stored. */
  #weight = 1;
  #iterating = 0;
  readonly #take = (key: K, held: Held<V>, weight: number): void => {
    this.#weight = weight;
    this.#live.set(key, held);
  };
  readonly #evict = (key: K, held: Held<V>): void => this.#departures?.add(key, plain(held), 'capacity');

  constructor(bound: Bound<K, V>) {
    checkBound('auto', bound);
    const { max, weigh, onEvict, random = Math.random } = bound;
    this.#bound = { max, ...(weigh && { weigh }), ...(onEvict && { onEvict }) };
    this.#departures = onEvict && new Departures(onEvict);
    this.#seed = Math.floor(random() * 2 ** 32);
    this.#hash = new KeyHash(this.#seed);
    this.#live = this.#make();
    this.#compare(max);
  }

  get policy(): string {
    return candidates[this.#current]!.name;
  }

  get size(): number {
    return this.#live.size + (this.#old === undefined ? 0 : this.#old.size);
  }

  get(key: K): V | undefined {
    let held = this.#live.get(key);
    if (this.#old !== undefined) {
      this.#old.pull(key, this.#take);
      if (held === undefined) held = this.#live.peek(key);
      this.#handOver();
    }
    if (!(held instanceof Followed)) return held;
    this.#requested(held);
    return held.value;
  }

  peek(key: K): V | undefined {
    const held = this.#peek(key);
    return held === undefined ? undefined : plain(held);
  }

  has(key: K): boolean {
    return this.#peek(key) !== undefined;
  }

  set(key: K, value: V): this {
    checkValue(key, value);
    const weight = weightOf(this.#bound.weigh, key, value);
    if (this.#old !== undefined) {
      this.#old.pull(key, this.#take);
      this.#handOver();
    }
    this.#weight = weight;
    const contest = this.#contest;
    const hash = contest === undefined ? 0 : this.#hash.of(key);
    if (contest?.sample.has(hash) === true) {
      const followed = new Followed(value, hash, weight);
      this.#live.set(key, followed);
      this.#fit();
      this.#requested(followed);
    } else {
      this.#live.set(key, value);
      this.#fit();
      if (contest === undefined && this.#live.weight + weight > this.#bound.max)
        this.#compare(this.#live.size);
    }
    this.#departures?.notify();
    return this;
  }

  delete(key: K): boolean {
    const held = this.#peek(key);
    if (held === undefined) return false;
    if (!this.#live.delete(key)) this.#old?.delete(key);
    if (held instanceof Followed) this.#contest?.remove(held.hash);
    this.#departures?.notify();
    return true;
  }

  clear(): void {
    this.#live.clear();
    this.#old?.clear();
    this.#old = undefined;
    this.#current = 0;
    this.#live = this.#make();
    this.#compare(this.#bound.max);
    this.#departures?.notify();
  }

  resize(max: number): void {
    this.#bound = { ...this.#bound, max: checkMax(max) };
    this.#live.resize(max);
    this.#fit();
    this.#compare(this.#bound.weigh === undefined ? max : this.size);
    this.#departures?.notify();
  }

  *[Symbol.iterator](): IterableIterator<[K, V]> {
    while (this.#old !== undefined) this.#handOver();
    this.#iterating++;
    try {
      for (const [key, held] of this.#live) yield [key, plain(held)];
    } finally {
      this.#iterating--;
    }
  }

  #peek(key: K): Held<V> | undefined {
    const held = this.#live.peek(key);
    return held === undefined ? this.#old?.peek(key) : held;
  }

  #make(): PolicyMap<K, Held<V>> {
    const { max, weigh } = this.#bound;
    const departures = this.#departures;
    return candidates[this.#current]!.make<K, Held<V>>(
      {
        max,
        ...(weigh && { weigh: () => this.#weight }),
        ...(departures && { onEvict: (key, held, reason) => departures.add(key, plain(held), reason) }),
      },
      this.#seed,
    );
  }

  /**
   * Begins to compare the candidates anew; when there are weights, once it is known how many entries fit. Keys that are
   * there and were not of the sample before are followed from when they are stored again.
   */
  #compare(entries: number): void {
    const known = this.#bound.weigh === undefined || this.#live.size > 0;
    this.#contest = known ? new Contest(candidates, entries, this.#bound, this.#seed) : undefined;
  }

  #requested({ hash, weight }: Followed<V>): void {
    const contest = this.#contest;
    if (contest?.sample.has(hash) !== true || !contest.request(hash, weight)) return;
    const next = contest.judge(this.#current);
    if (next === this.#current || this.#old !== undefined || this.#iterating > 0) return;
    this.#current = next;
    this.#old = this.#live;
    this.#live = this.#make();
  }

  #handOver(): void {
    const old = this.#old!;
    for (let i = 0; i < handedOver && old.size > 0; i++) old.shed(this.#take);
    if (old.size === 0) this.#old = undefined;
  }

  /** What is not yet handed over makes room first. */
  #fit(): void {
    const old = this.#old;
    while (old !== undefined && old.size > 0 && old.weight + this.#live.weight > this.#bound.max) {
      old.shed(this.#evict);
    }
  }
}
