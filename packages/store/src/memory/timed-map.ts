import { Alarm, type Clock, Heap } from '@ashlar/core';

interface Held<V> {
  readonly value: V;
  readonly endsAt: number;
}

interface End {
  readonly key: string;
  readonly at: number;
}

/** The most entries that one ring of the alarm ends, so that it does not block the event loop. */
const step = 1_000;

/** A map whose entries expire: `expired` is called once for each, when it is found or soon after its end. */
export class TimedMap<V> {
  readonly #held = new Map<string, Held<V>>();
  readonly #clock: Clock;
  readonly #expired: (key: string) => void;
  readonly #alarm: Alarm;
  /** The earliest first. An end is stale when its entry is gone or ends at another time. */
  readonly #ends = new Heap<End>((a, b) => a.at - b.at);

  constructor(clock: Clock, expired: (key: string) => void) {
    this.#clock = clock;
    this.#expired = expired;
    this.#alarm = new Alarm(clock, () => this.#sweep());
  }

  get size(): number {
    return this.#held.size;
  }

  get(key: string): V | undefined {
    return this.#live(key)?.value;
  }

  set(key: string, value: V, ttlMs?: number): void {
    const endsAt = ttlMs === undefined ? Infinity : this.#clock.now() + ttlMs;
    this.#held.set(key, { value, endsAt });
    if (endsAt === Infinity) return;
    if (this.#ends.size > 64 + 2 * this.#held.size) {
      this.#ends.filter(({ key, at }) => this.#held.get(key)?.endsAt === at);
    }
    this.#ends.push({ key, at: endsAt });
    if (endsAt < this.#alarm.at) this.#alarm.set(endsAt);
  }

  delete(key: string): boolean {
    return this.#held.delete(key);
  }

  clear(): void {
    this.#held.clear();
    this.#ends.clear();
    this.#alarm.clear();
  }

  #live(key: string): Held<V> | undefined {
    const held = this.#held.get(key);
    if (held === undefined || held.endsAt > this.#clock.now()) return held;
    this.#held.delete(key);
    this.#expired(key);
    return undefined;
  }

  #sweep(): void {
    const now = this.#clock.now();
    for (let i = 0; i < step && (this.#ends.peek()?.at ?? Infinity) <= now; i++) {
      this.#live(this.#ends.pop()!.key);
    }
    this.#alarm.set(this.#ends.peek()?.at ?? Infinity);
  }
}
