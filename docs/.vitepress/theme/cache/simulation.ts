import { type BoundedMap, type EvictionName, evictions } from '@ashlar/cache-policies';
import { type Random, seededRandom } from '@ashlar/core';
import { keysOf, type Traffic } from './traffic.ts';

export interface PolicyView {
  readonly name: EvictionName;
  /** The part of the last requests that it answered, 0 to 1. */
  readonly hitRatio: number;
}

/** `auto` follows other policies, and needs larger caches than these. */
export const policies: readonly EvictionName[] = [
  'wTinyLfu',
  's3fifo',
  'sieve',
  'lirs',
  'arc',
  'twoQueue',
  'lru',
  'clock',
  'lfu',
  'fifo',
];
const requestsPerSecond = 2_000;
/** The hit ratios are those of so many requests. */
const remembered = 6_000;

/** One cache, and which of the last requests it answered. */
class Contender {
  readonly name: EvictionName;
  readonly #cache: BoundedMap<number, true>;
  readonly #wasHit = new Uint8Array(remembered);
  #requests = 0;
  #hits = 0;

  constructor(name: EvictionName, max: number, random: Random) {
    this.name = name;
    this.#cache = evictions[name]<number, true>({ max, random });
  }

  request(key: number): void {
    const isHit = this.#cache.get(key) === true;
    if (!isHit) this.#cache.set(key, true);
    const place = this.#requests++ % remembered;
    this.#hits += Number(isHit) - this.#wasHit[place]!;
    this.#wasHit[place] = Number(isHit);
  }

  get hitRatio(): number {
    return this.#hits / Math.max(1, Math.min(remembered, this.#requests));
  }
}

/** The same requests for caches of one size, each with another eviction policy. */
export class EvictionSimulation {
  readonly #traffic: Traffic;
  readonly #keys: Generator<number, never>;
  readonly #contenders: readonly Contender[];
  #nowMs = 0;
  #requests = 0;

  constructor(traffic: Traffic, max: number, seed: number) {
    this.#traffic = traffic;
    this.#keys = keysOf(traffic, seededRandom(seed));
    this.#contenders = policies.map(name => new Contender(name, max, seededRandom(seed + 1)));
  }

  get traffic(): Traffic {
    return this.#traffic;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  get requests(): number {
    return this.#requests;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    const due = Math.floor((this.#nowMs * requestsPerSecond) / 1_000);
    for (; this.#requests < due; this.#requests++) {
      const { value: key } = this.#keys.next();
      for (const contender of this.#contenders) contender.request(key);
    }
  }

  get policies(): PolicyView[] {
    return this.#contenders.map(({ name, hitRatio }) => ({ name, hitRatio }));
  }
}
