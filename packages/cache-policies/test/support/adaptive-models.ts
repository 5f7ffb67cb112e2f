import { WindowClimber } from '../../src/policies/w-tiny-lfu/window-climber.ts';
import { KeyHash } from '../../src/shared/key-hash.ts';
import { FrequencySketch } from '../../src/sketch.ts';
import { Model, without } from './models.ts';

/** ARC as its paper's figure 4 has it, with an integer target; what was deleted leaves room, for which nothing goes. */
export class ArcModel extends Model {
  #t1: number[] = [];
  #t2: number[] = [];
  #b1: number[] = [];
  #b2: number[] = [];
  #target = 0;

  override keys(): number[] {
    return [...this.#t1, ...this.#t2];
  }

  override hit(key: number): void {
    this.drop(key);
    this.#t2.push(key);
  }

  override add(key: number): void {
    const inB1 = this.#b1.includes(key);
    const inB2 = this.#b2.includes(key);
    const up = Math.max(1, Math.floor(this.#b2.length / this.#b1.length));
    const down = Math.max(1, Math.floor(this.#b1.length / this.#b2.length));
    if (inB1) this.#target = Math.min(this.max, this.#target + up);
    if (inB2) this.#target = Math.max(0, this.#target - down);
    this.#b1 = without(this.#b1, key);
    this.#b2 = without(this.#b2, key);
    if (inB1 || inB2) {
      this.#replace(inB2);
      this.#t2.push(key);
      return;
    }
    if (this.#t1.length === this.max) this.evict(this.#t1[0]!);
    else if (this.#t1.length + this.#b1.length === this.max) this.#b1.shift();
    else if (this.keys().length + this.#b1.length + this.#b2.length === 2 * this.max) this.#b2.shift();
    this.#replace(false);
    this.#t1.push(key);
  }

  protected override drop(key: number): void {
    this.#t1 = without(this.#t1, key);
    this.#t2 = without(this.#t2, key);
  }

  #replace(inB2: boolean): void {
    if (this.keys().length < this.max) return;
    const { length: t1 } = this.#t1;
    const fromT1 = t1 > 0 && (t1 > this.#target || (inB2 && t1 === this.#target));
    if (fromT1 || this.#t2.length === 0) {
      this.#b1.push(this.#t1[0]!);
      this.evict(this.#t1[0]!);
    } else {
      this.#b2.push(this.#t2[0]!);
      this.evict(this.#t2[0]!);
    }
  }
}

/**
 * LIRS: the stack of recency, the blocks of low inter-reference recency, and the queue of the resident others. As in
 * Caffeine's simulator, a hit of the newest of the stack proves nothing, what comes before the cache is full is not
 * stacked once there are enough of low recency, and history is bounded.
 */
export class LirsModel extends Model {
  #stack: number[] = [];
  readonly #low = new Set<number>();
  #queue: number[] = [];
  #gone: number[] = [];

  override keys(): number[] {
    return [...this.#low, ...this.#queue];
  }

  override hit(key: number): void {
    const proven = this.#stack.includes(key) && this.#stack.at(-1) !== key;
    this.#toTop(key);
    if (this.#low.has(key)) this.#prune();
    else if (proven) this.#makeLow(key);
    else this.#queue = [...without(this.#queue, key), key];
  }

  override add(key: number): void {
    this.#gone = without(this.#gone, key);
    const isFull = this.keys().length === this.max;
    const isEarly = this.#low.size < this.#lowMax;
    if (isFull) this.#makeRoom();
    const isKnown = this.#stack.includes(key);
    if (isEarly || isFull || isKnown) this.#toTop(key);
    if (isEarly || (isKnown && isFull)) this.#makeLow(key);
    else this.#queue.push(key);
  }

  protected override drop(key: number): void {
    this.#stack = without(this.#stack, key);
    this.#low.delete(key);
    this.#queue = without(this.#queue, key);
    this.#prune();
  }

  get #lowMax(): number {
    return Math.floor(this.max * 0.99);
  }

  #makeRoom(): void {
    if (this.#queue.length === 0) this.#demote();
    const oldest = this.#queue.shift()!;
    this.left.push(oldest);
    if (this.#stack.includes(oldest)) this.#gone.push(oldest);
    this.#prune();
  }

  #makeLow(key: number): void {
    this.#queue = without(this.#queue, key);
    this.#low.add(key);
    if (this.#low.size > this.#lowMax) this.#demote();
    this.#prune();
  }

  #demote(): void {
    this.#prune();
    const oldest = this.#stack.shift()!;
    this.#low.delete(oldest);
    this.#queue.push(oldest);
  }

  /** The oldest of the stack is one of low recency. */
  #prune(): void {
    while (this.#stack.length > 0 && !this.#low.has(this.#stack[0]!)) {
      this.#gone = without(this.#gone, this.#stack.shift()!);
    }
    while (this.#gone.length > 2 * this.max) this.#stack = without(this.#stack, this.#gone.shift()!);
  }

  #toTop(key: number): void {
    this.#stack = [...without(this.#stack, key), key];
  }
}

/** W-TinyLFU over arrays. The sketch and the climber are the real ones, as what they tell is what the policy follows. */
export class WTinyLfuModel extends Model {
  #window: number[] = [];
  #probation: number[] = [];
  #protected: number[] = [];
  readonly #stamps = new Map<number, number>();
  readonly #sketch = new FrequencySketch();
  readonly #climber = new WindowClimber();
  readonly #hash: KeyHash;
  #draw: number;
  #demotions = 0;
  #isFull = false;

  constructor(max: number, random: () => number) {
    super(max);
    this.#draw = Math.floor(random() * 2 ** 32) | 1;
    this.#hash = new KeyHash(this.#draw);
  }

  override keys(): number[] {
    return [...this.#window, ...this.#probation, ...this.#protected];
  }

  override hit(key: number): void {
    this.#sketch.record(this.#hash.of(key));
    const stamp = this.#stamps.get(key)!;
    const { length: size } = this.keys();
    if (this.#protected.includes(key)) {
      this.#protected = [...without(this.#protected, key), key];
      if (this.#isFull) this.#climber.protectedHit();
    } else if (this.#window.includes(key)) {
      if (this.#isFull) this.#climber.windowHit(stamp, this.#window.length, size);
      this.#window = [...without(this.#window, key), key];
      this.#stamps.set(key, this.#climber.arrivals);
    } else {
      if (this.#isFull) this.#climber.probationHit(stamp, this.#demotions, this.#probation.length);
      this.#probation = without(this.#probation, key);
      this.#protected.push(key);
      this.#demote();
    }
    this.#climb();
  }

  override add(key: number): void {
    const { length: size } = this.keys();
    this.#sketch.ensureCapacity(size + 1);
    this.#sketch.record(this.#hash.of(key));
    if (this.#isFull) this.#climber.miss(this.#hash.of(key), size);
    this.#window.push(key);
    this.#stamps.set(key, this.#climber.arrivals);
    this.#demote();
    while (this.#window.length > this.#windowMax) this.#leaveWindow();
    while (this.keys().length > this.max) {
      this.#isFull = true;
      this.evict([...this.#probation, ...this.#protected, ...this.#window][0]!);
    }
    this.#climb();
  }

  protected override drop(key: number): void {
    this.#window = without(this.#window, key);
    this.#probation = without(this.#probation, key);
    this.#protected = without(this.#protected, key);
  }

  get #windowMax(): number {
    return Math.max(1, Math.round(this.#climber.share * this.max));
  }

  #leaveWindow(): void {
    const candidate = this.#window.shift()!;
    this.#enterProbation(candidate);
    while (this.keys().length > this.max) {
      this.#isFull = true;
      const victim = [...this.#probation, ...this.#protected].find(other => other !== candidate);
      if (victim === undefined || !this.#admits(candidate, victim)) {
        this.#climber.reject(this.#hash.of(candidate));
        this.#demotions--;
        this.evict(candidate);
      } else this.evict(victim);
    }
  }

  #admits(candidate: number, victim: number): boolean {
    const frequency = this.#sketch.frequency(this.#hash.of(candidate));
    if (frequency > this.#sketch.frequency(this.#hash.of(victim))) return true;
    return frequency >= 6 && this.#next() % 128 === 0;
  }

  /** Marsaglia's xorshift, of 32 bits. */
  #next(): number {
    this.#draw ^= this.#draw << 13;
    this.#draw ^= this.#draw >>> 17;
    this.#draw ^= this.#draw << 5;
    return this.#draw >>> 0;
  }

  #demote(): void {
    const most = Math.floor((this.max - this.#windowMax) * 0.8);
    while (this.#protected.length > most) this.#enterProbation(this.#protected.shift()!);
  }

  #enterProbation(key: number): void {
    this.#probation.push(key);
    this.#stamps.set(key, this.#demotions++);
  }

  #climb(): void {
    const { length: size } = this.keys();
    if (!this.#isFull || !this.#climber.isDue(size)) return;
    this.#climber.step(this.#window.length, this.#probation.length, size);
  }
}
