import type { Bound, BoundedMap } from '../../bounded-map.ts';
import { none } from '../../slots/column.ts';
import { mix } from '../../slots/hash.ts';
import { PolicyMap } from '../../slots/policy-map.ts';
import type { Queue } from '../../slots/queue.ts';
import { FrequencySketch } from './frequency-sketch.ts';
import { WindowClimber } from './window-climber.ts';

const protectedShare = 0.8;
/** A key this frequent is admitted by luck one time in `luck`, so that no forged victim stays for ever. */
const warmFrequency = 6;
const luck = 128;
/** The most entries that one operation moves between the parts. */
const mostMoves = 16;

const inWindow = 0;
const inProbation = 1;
const inProtected = 2;

/**
 * W-TinyLFU (Einziger, Friedman, Manes, ACM ToS 2017): new entries are in a window, an LRU. An entry that leaves the window
 * is admitted to the main part, a segmented LRU, only if it was requested more often lately than the entry that it would
 * evict, by a sketch of frequencies. The window's share follows the workload (Einziger, Eytan, Friedman, Manes, Middleware
 * 2018), by the hits at its edges and at the main part's. It is the best single choice for most workloads. `random` seeds
 * the hash of keys and the rare admission by luck.
 */
export function wTinyLfu<K, V>(bound: Bound<K, V>): BoundedMap<K, V> {
  return new WTinyLfu(bound);
}

export class WTinyLfu<K, V> extends PolicyMap<K, V> {
  readonly #window = this.queue();
  readonly #probation = this.queue();
  readonly #protected = this.queue();
  readonly #places = this.slots.column(Uint8Array);
  /** When an entry in the window was last requested, or one in probation came there. */
  readonly #stamps = this.slots.column(Int32Array);
  readonly #sketch = new FrequencySketch();
  readonly #climber = new WindowClimber();
  readonly #seed: number;
  #draw: number;
  #demotions = 0;
  #full = false;
  #windowMax = 0;
  #protectedMax = 0;

  constructor(bound: Bound<K, V>) {
    super('wTinyLfu', bound);
    this.#seed = Math.floor((bound.random ?? Math.random)() * 2 ** 32) | 1;
    this.#draw = this.#seed;
    this.slots.hashAll();
    this.#divide();
  }

  override get(key: K): V | undefined {
    const slot = this.slots.find(key);
    if (slot === none) return undefined;
    this.touch(slot);
    return this.slots.value(slot);
  }

  protected override touch(slot: number): void {
    this.#sketch.record(this.#hashOf(slot));
    const place = this.#places.cells[slot];
    if (place === inProtected) {
      this.#protected.refresh(slot);
      if (this.#full) this.#climber.protectedHit();
    } else if (place === inWindow) {
      this.#window.refresh(slot);
      if (this.#full) this.#climber.windowHit(this.#stamps.cells[slot]!, this.#window.size, this.size);
      this.#stamps.cells[slot] = this.#climber.arrivals;
    } else {
      if (this.#full) {
        this.#climber.probationHit(this.#stamps.cells[slot]!, this.#demotions, this.#probation.size);
      }
      this.#promote(slot);
    }
    if (this.#full && this.#climber.isDue(this.size)) this.#climb();
  }

  protected override admit(key: K, value: V, weight: number): void {
    const slot = this.add(key, value, weight);
    const hash = this.#hashOf(slot);
    this.#sketch.ensureCapacity(this.size);
    this.#sketch.record(hash);
    if (this.#full) this.#climber.miss(hash, this.size - 1);
    this.#places.cells[slot] = inWindow;
    this.#stamps.cells[slot] = this.#climber.arrivals;
    this.#window.push(slot);
    this.#demote();
    for (let moves = 0; this.#window.weight > this.#windowMax && moves < mostMoves; moves++)
      this.#leaveWindow();
    while (this.used > this.max) this.evict();
    if (this.#full && this.#climber.isDue(this.size)) this.#climb();
  }

  /** Without a candidate: evicts from the main part, or else from the window. */
  protected override evict(): void {
    this.#full = true;
    const main = this.#probation.size > 0 ? this.#probation : this.#protected;
    const queue = main.size > 0 ? main : this.#window;
    this.#drop(queue.tail, queue);
  }

  protected override queueOf(slot: number): Queue {
    const place = this.#places.cells[slot];
    return place === inWindow ? this.#window : place === inProbation ? this.#probation : this.#protected;
  }

  protected override forget(slot: number): void {
    if (slot !== none) return;
    this.#sketch.clear();
    this.#climber.clear();
    this.#full = false;
    this.#draw = this.#seed;
    this.#demotions = 0;
    this.#divide();
  }

  protected override resized(): void {
    this.#full = false;
    this.#divide();
  }

  /** Seeded, so that an attacker cannot know which keys are counted together. */
  #hashOf(slot: number): number {
    return mix(this.slots.hashes.cells[slot]! ^ this.#seed);
  }

  #divide(): void {
    this.#windowMax = Math.max(1, Math.round(this.#climber.share * this.max));
    this.#protectedMax = Math.floor((this.max - this.#windowMax) * protectedShare);
  }

  #climb(): void {
    this.#climber.step(this.#window.size, this.#probation.size, this.size);
    this.#divide();
  }

  /** The oldest of the window goes to probation, where it must win against one victim after the other until all fits. */
  #leaveWindow(): void {
    const candidate = this.#window.tail;
    this.#window.remove(candidate);
    this.#enterProbation(candidate);
    while (this.used > this.max) {
      this.#full = true;
      const oldest = this.#probation.tail;
      const alone = oldest === candidate && this.#protected.size === 0;
      const queue = oldest === candidate && !alone ? this.#protected : this.#probation;
      const victim = queue.tail;
      if (alone || !this.#admits(candidate, victim)) {
        this.#climber.reject(this.#hashOf(candidate));
        this.#demotions = (this.#demotions - 1) | 0;
        this.#drop(candidate, this.#probation);
        return;
      }
      this.#drop(victim, queue);
    }
  }

  #admits(candidate: number, victim: number): boolean {
    const frequency = this.#sketch.frequency(this.#hashOf(candidate));
    if (frequency > this.#sketch.frequency(this.#hashOf(victim))) return true;
    if (frequency < warmFrequency) return false;
    this.#draw ^= this.#draw << 13;
    this.#draw ^= this.#draw >>> 17;
    this.#draw ^= this.#draw << 5;
    return (this.#draw & (luck - 1)) === 0;
  }

  #promote(slot: number): void {
    this.#probation.remove(slot);
    this.#places.cells[slot] = inProtected;
    this.#protected.push(slot);
    this.#demote();
  }

  /** Also with each admission: else protected entries without requests would stay when the main part has become smaller. */
  #demote(): void {
    for (let moves = 0; this.#protected.weight > this.#protectedMax && moves < mostMoves; moves++) {
      const demoted = this.#protected.tail;
      this.#protected.remove(demoted);
      this.#enterProbation(demoted);
    }
  }

  #enterProbation(slot: number): void {
    this.#places.cells[slot] = inProbation;
    this.#stamps.cells[slot] = this.#demotions;
    this.#demotions = (this.#demotions + 1) | 0;
    this.#probation.push(slot);
  }

  #drop(slot: number, queue: Queue): void {
    queue.remove(slot);
    this.leave(slot);
  }
}
