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
