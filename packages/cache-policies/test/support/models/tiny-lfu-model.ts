import type { Random } from '@ashlar/core';
import { FrequencySketch } from '../../../src/policies/w-tiny-lfu/frequency-sketch.ts';
import { Rejected } from '../../../src/policies/w-tiny-lfu/rejected.ts';
import { hashInteger, mix } from '../../../src/slots/hash.ts';
import { Model, without } from './models.ts';

/**
 * W-TinyLFU over three arrays, with weights. What forgets by the hash of a key, to be of fixed size, is the policy's own and
 * tested by itself: the sketch and the table of the rejected. Exact counts in a map would not be a model, as keys that
 * are counted together by chance may be admitted otherwise: in long runs the two differ now and then.
 */
export class WTinyLfuModel extends Model {
  #window: number[] = [];
  #probation: number[] = [];
  #protected: number[] = [];
  readonly #weights = new Map<number, number>();
  readonly #sketch = new FrequencySketch();
  readonly #seed: number;
  #draw: number;
  #max: number;
  #full = false;
  #climber = new ClimberModel();
  /** How many keys came since an entry of the window was asked for, how many entries to probation since one of it. */
  readonly #ages = new Map<number, number>();

  constructor(max: number, random: Random) {
    super(max);
    this.#max = max;
    this.#seed = Math.floor(random() * 2 ** 32) | 1;
    this.#draw = this.#seed;
  }

  override keys(): number[] {
    return [...this.#window, ...this.#probation, ...this.#protected];
  }

  override hit(key: number): void {
    this.#sketch.record(this.#hash(key));
    if (this.#window.includes(key)) {
      const { length } = this.#window;
      if (this.#full) this.#climber.windowHit(this.#ages.get(key)! > length - this.#edge());
      this.#window = [...without(this.#window, key), key];
      this.#ages.set(key, 0);
    } else if (this.#probation.includes(key)) {
      if (this.#full) this.#climber.probationHit(this.#ages.get(key)! >= this.#probation.length / 2);
      this.#probation = without(this.#probation, key);
      this.#protected.push(key);
      this.#demote();
    } else {
      if (this.#full) this.#climber.hit();
      this.#protected = [...without(this.#protected, key), key];
    }
    this.#climb();
  }

  override add(key: number, weight: number = 1): void {
    if (weight > this.#max) {
      this.left.push(key);
      return;
    }
    this.#weights.set(key, weight);
    this.#window.push(key);
    this.#sketch.ensureCapacity(this.#size);
    this.#sketch.record(this.#hash(key));
    if (this.#full) {
      this.#climber.miss(this.#hash(key), this.#size - 1);
      for (const other of this.#window) this.#ages.set(other, this.#ages.get(other)! + 1);
    }
    this.#ages.set(key, 0);
    this.#demote();
    for (let moves = 0; moves < 16 && this.#weight(this.#window) > this.#windowMax; moves++) this.#contest();
    this.#fit();
    this.#climb();
  }

  replace(key: number, weight: number): void {
    if (weight > this.#max) {
      this.evict(key);
      return;
    }
    this.#weights.set(key, weight);
    this.hit(key);
    this.#fit();
  }

  resize(max: number): void {
    this.#max = max;
    this.#full = false;
    this.#fit();
  }

  clear(): void {
    for (const key of this.keys()) this.drop(key);
    this.#sketch.clear();
    this.#climber = new ClimberModel();
    this.#full = false;
    this.#draw = this.#seed;
  }

  protected override drop(key: number): void {
    this.#window = without(this.#window, key);
    this.#probation = without(this.#probation, key);
    this.#protected = without(this.#protected, key);
    this.#weights.delete(key);
    this.#ages.delete(key);
  }

  get #size(): number {
    return this.#weights.size;
  }

  get #windowMax(): number {
    return Math.max(1, Math.round(this.#climber.share * this.#max));
  }

  #edge(): number {
    return Math.max(1, this.#size / 16);
  }

  #weight(keys: readonly number[]): number {
    return keys.reduce((sum, key) => sum + this.#weights.get(key)!, 0);
  }

  #isOver(): boolean {
    return this.#weight(this.keys()) > this.#max;
  }

  #hash(key: number): number {
    return mix(hashInteger(key) ^ this.#seed);
  }

  #demote(): void {
    const protectedMax = Math.floor((this.#max - this.#windowMax) * 0.8);
    for (let moves = 0; moves < 16 && this.#weight(this.#protected) > protectedMax; moves++)
      this.#enter(this.#protected.shift()!);
  }

  #enter(key: number): void {
    for (const other of this.#probation) this.#ages.set(other, this.#ages.get(other)! + 1);
    this.#probation.push(key);
    this.#ages.set(key, 1);
  }

  /** The oldest of the window against the oldest of the main part, one after the other until all fits. */
  #contest(): void {
    const candidate = this.#window.shift()!;
    this.#enter(candidate);
    while (this.#isOver()) {
      this.#full = true;
      const victim = [...this.#probation, ...this.#protected].find(other => other !== candidate);
      if (victim !== undefined && this.#admits(candidate, victim)) {
        this.evict(victim);
        continue;
      }
      this.#climber.reject(this.#hash(candidate));
      for (const other of this.#probation) this.#ages.set(other, this.#ages.get(other)! - 1);
      this.evict(candidate);
      return;
    }
  }

  #admits(candidate: number, victim: number): boolean {
    const frequency = this.#sketch.frequency(this.#hash(candidate));
    if (frequency > this.#sketch.frequency(this.#hash(victim))) return true;
    if (frequency < 6) return false;
    this.#draw ^= this.#draw << 13;
    this.#draw ^= this.#draw >>> 17;
    this.#draw ^= this.#draw << 5;
    return this.#draw % 128 === 0;
  }

  #fit(): void {
    while (this.#isOver()) {
      this.#full = true;
      this.evict([...this.#probation, ...this.#protected, ...this.#window][0]!);
    }
  }

  #climb(): void {
    if (this.#full) this.#climber.step(this.#window.length, this.#probation.length, this.#size);
  }
}

class ClimberModel {
  share = 0.01;
  readonly #rejected = new Rejected();
  #arrivals = 0;
  #since = 0;
  /** Of what was counted before the last step, half of it as much as of the one before. */
  #requests = 0;
  #hits = 0;
  #edge = 0;
  #older = 0;

  hit(): void {
    this.#since++;
    this.#hits++;
  }

  windowHit(atEdge: boolean): void {
    this.hit();
    if (atEdge) this.#edge++;
  }

  probationHit(isOlder: boolean): void {
    this.hit();
    if (isOlder) this.#older++;
  }

  miss(hash: number, size: number): void {
    this.#since++;
    this.#arrivals++;
    this.#rejected.missed(hash, this.#arrivals, size);
  }

  reject(hash: number): void {
    this.#rejected.add(hash, this.#arrivals);
  }

  step(windowSize: number, probationSize: number, size: number): void {
    if (this.#since < size) return;
    this.#requests += this.#since;
    this.#since = 0;
    const main = probationSize > 0 ? this.#older / (probationSize / 2) : 0;
    const edge = this.#edge / Math.max(1, Math.min(windowSize, Math.max(1, size / 16)));
    const misses = this.#requests - this.#hits;
    const slower = misses > 0 ? Math.max(0, 1 - (main * windowSize) / misses) : 0;
    const grown = slower * this.#rejected.bestDensity(size);
    const window = grown > main ? grown : Math.min(main, Math.max(edge, grown));
    const step = 0.02 * Math.log((window + 1 / size) / (main + 1 / size));
    this.share += Math.max(-0.0625, Math.min(0.0625, step));
    this.share = Math.max(0.01, Math.min(0.8, this.share));
    this.#requests /= 2;
    this.#hits /= 2;
    this.#edge /= 2;
    this.#older /= 2;
    this.#rejected.fade(0.5);
  }
}
