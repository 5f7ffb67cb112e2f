import type { Clock } from '@ashlar/core';
import { Alarm } from '../alarm.ts';

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
  /** A binary heap, the earliest first. An end is stale when its entry is gone or ends at another time. */
  #ends: End[] = [];

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
    if (this.#ends.length > 64 + 2 * this.#held.size) {
      this.#ends = this.#ends.filter(({ key, at }) => this.#held.get(key)?.endsAt === at).sort(byTime);
    }
    push(this.#ends, { key, at: endsAt });
    if (endsAt < this.#alarm.at) this.#alarm.set(endsAt);
  }

  delete(key: string): boolean {
    return this.#held.delete(key);
  }

  clear(): void {
    this.#held.clear();
    this.#ends = [];
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
    for (let i = 0; i < step && this.#ends[0] !== undefined && this.#ends[0].at <= now; i++) {
      this.#live(pop(this.#ends).key);
    }
    this.#alarm.set(this.#ends[0]?.at ?? Infinity);
  }
}

function byTime(a: End, b: End): number {
  return a.at - b.at;
}

function push(heap: End[], end: End): void {
  let at = heap.push(end) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (heap[parent]!.at <= end.at) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = end;
}

function pop(heap: End[]): End {
  const top = heap[0]!;
  const last = heap.pop()!;
  if (heap.length === 0) return top;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++;
    if (child >= heap.length || heap[child]!.at >= last.at) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
  return top;
}
