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

export class LruModel extends FifoModel {
  override hit(key: number): void {
    this.queue = [...without(this.queue, key), key];
  }
}

export class ClockModel extends FifoModel {
  readonly #marked = new Set<number>();

  override hit(key: number): void {
    this.#marked.add(key);
  }

  protected override victim(): number {
    while (this.#marked.delete(this.queue[0]!)) this.queue.push(this.queue.shift()!);
    return this.queue[0]!;
  }

  protected override drop(key: number): void {
    this.#marked.delete(key);
    super.drop(key);
  }
}

export class SieveModel extends FifoModel {
  readonly #marked = new Set<number>();
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

/** Kept in the order of the counts, those with equal ones in the order in which they came to them. */
export class LfuModel extends Model {
  #entries: { key: number; count: number }[] = [];
  #requests = 0;
  readonly #ageAfter: number;

  constructor(max: number, ageAfter: number = Infinity) {
    super(max);
    this.#ageAfter = ageAfter;
  }

  override keys(): number[] {
    return this.#entries.map(({ key }) => key);
  }

  override add(key: number): void {
    if (this.#entries.length === this.max) this.evict(this.#entries[0]!.key);
    this.#count(key, 1);
  }

  override hit(key: number): void {
    const { count } = this.#entries.find(entry => entry.key === key)!;
    this.drop(key);
    this.#count(key, count + 1);
  }

  protected override drop(key: number): void {
    this.#entries = this.#entries.filter(entry => entry.key !== key);
  }

  #count(key: number, count: number): void {
    const place = this.#entries.filter(entry => entry.count <= count).length;
    this.#entries.splice(place, 0, { key, count });
    if (++this.#requests < this.#ageAfter * this.#entries.length) return;
    this.#requests = 0;
    for (const entry of this.#entries) entry.count = entry.count >> 1;
  }
}

export class TwoQueueModel extends Model {
  #incoming: number[] = [];
  #ghosts: number[] = [];
  #main: number[] = [];

  override keys(): number[] {
    return [...this.#incoming, ...this.#main];
  }

  override add(key: number): void {
    const known = this.#ghosts.includes(key);
    this.#ghosts = without(this.#ghosts, key);
    if (this.keys().length === this.max) this.#makeRoom();
    (known ? this.#main : this.#incoming).push(key);
  }

  override hit(key: number): void {
    if (this.#main.includes(key)) this.#main = [...without(this.#main, key), key];
  }

  protected override drop(key: number): void {
    this.#incoming = without(this.#incoming, key);
    this.#main = without(this.#main, key);
  }

  #makeRoom(): void {
    if (this.#incoming.length <= Math.floor(this.max / 4) && this.#main.length > 0) {
      this.evict(this.#main[0]!);
    } else {
      this.#ghosts.push(this.#incoming[0]!);
      this.evict(this.#incoming[0]!);
      if (this.#ghosts.length > Math.floor(this.max / 2)) this.#ghosts.shift();
    }
  }
}

export class S3FifoModel extends Model {
  #small: number[] = [];
  #main: number[] = [];
  #ghosts: number[] = [];
  readonly #hits = new Map<number, number>();

  override keys(): number[] {
    return [...this.#small, ...this.#main];
  }

  override add(key: number): void {
    const known = this.#ghosts.includes(key);
    this.#ghosts = without(this.#ghosts, key);
    if (this.keys().length === this.max) this.#makeRoom();
    this.#hits.set(key, 0);
    (known ? this.#main : this.#small).push(key);
  }

  override hit(key: number): void {
    this.#hits.set(key, Math.min(3, this.#hits.get(key)! + 1));
  }

  protected override drop(key: number): void {
    this.#small = without(this.#small, key);
    this.#main = without(this.#main, key);
  }

  #makeRoom(): void {
    const smallMax = Math.max(1, Math.floor(this.max / 10));
    const mainMax = this.max - smallMax;
    const fromMain = this.#small.length < smallMax && this.#main.length > 0;
    while (!fromMain && this.#small.length > 0 && this.#main.length <= mainMax) {
      const oldest = this.#small[0]!;
      if (this.#hits.get(oldest)! < 2) {
        this.evict(oldest);
        this.#ghosts.push(oldest);
        if (this.#ghosts.length > mainMax) this.#ghosts.shift();
        return;
      }
      this.#small.shift();
      this.#hits.set(oldest, 0);
      this.#main.push(oldest);
    }
    this.#evictMain();
  }

  #evictMain(): void {
    while (this.#hits.get(this.#main[0]!)! > 0) {
      this.#hits.set(this.#main[0]!, this.#hits.get(this.#main[0]!)! - 1);
      this.#main.push(this.#main.shift()!);
    }
    this.evict(this.#main[0]!);
  }
}

/** Belady's optimum by looking ahead at each miss. */
export function optModel(requests: readonly number[], max: number): number {
  let cached: number[] = [];
  let hits = 0;
  requests.forEach((key, now) => {
    if (cached.includes(key)) {
      hits++;
      return;
    }
    const nextOf = (other: number) => {
      const next = requests.indexOf(other, now + 1);
      return next < 0 ? Infinity : next;
    };
    if (cached.length === max) {
      const last = cached.reduce((a, b) => (nextOf(b) > nextOf(a) ? b : a));
      cached = without(cached, last);
    }
    cached.push(key);
  });
  return hits;
}
