/** A policy as plainly as it can be said, over arrays whose first element is the oldest. */
export abstract class Model {
  readonly left: number[] = [];
  readonly max: number;

  constructor(max: number) {
    this.max = max;
  }

  abstract keys(): number[];
  abstract add(key: number): void;
  abstract hit(key: number): void;
  protected abstract drop(key: number): void;

  has(key: number): boolean {
    return this.keys().includes(key);
  }

  delete(key: number): boolean {
    const there = this.has(key);
    if (there) this.drop(key);
    return there;
  }

  protected evict(key: number): void {
    this.drop(key);
    this.left.push(key);
  }
}

export function without<T>(list: readonly T[], one: T): T[] {
  return list.filter(other => other !== one);
}

export class FifoModel extends Model {
  protected queue: number[] = [];

  override keys(): number[] {
    return [...this.queue];
  }

  override add(key: number): void {
    if (this.queue.length === this.max) this.evict(this.victim());
    this.queue.push(key);
  }

  override hit(_key: number): void {}

  protected victim(): number {
    return this.queue[0]!;
  }

  protected override drop(key: number): void {
    this.queue = without(this.queue, key);
  }
}

export class SieveModel extends FifoModel {
  #marked = new Set<number>();
  /** Which one the hand is at; the oldest if it is at none. */
  #hand: number | undefined;

  override hit(key: number): void {
    this.#marked.add(key);
  }

  protected override victim(): number {
    let at = this.#hand ?? this.queue[0]!;
    while (this.#marked.delete(at)) at = this.#newer(at) ?? this.queue[0]!;
    this.#hand = at;
    return at;
  }

  protected override drop(key: number): void {
    this.#marked.delete(key);
    if (this.#hand === key) this.#hand = this.#newer(key);
    super.drop(key);
  }

  #newer(key: number): number | undefined {
    return this.queue[this.queue.indexOf(key) + 1];
  }
}
