import { abortable } from '@ashlar/core';
import type { Entry, Terms } from '../tiers/entry.ts';

export interface FlightOptions<K, V> {
  /** What the tiers call the key. */
  readonly id: unknown;
  readonly key: K;
  /** For what it loads. */
  readonly terms: Terms;
  /** What is kept of the key, to be served when there is nothing better. */
  readonly fallback: Entry<K, V> | undefined;
  /** The number of invalidations of tags at its start: who comes after a later one must not wait for it. */
  readonly stamp: number;
  readonly startedAt: number;
  /** It refreshes what is being served. */
  readonly background: boolean;
}

/**
 * One key that is found in the shared tier or loaded, once however many callers wait. It is aborted when all of them
 * have aborted, unless it runs in the background.
 */
export class Flight<K, V> {
  readonly id: unknown;
  readonly key: K;
  readonly terms: Terms;
  readonly stamp: number;
  readonly startedAt: number;
  readonly background: boolean;
  fallback: Entry<K, V> | undefined;
  readonly answer: Promise<V | undefined>;
  /** Set when it has answered; it may go on after that. */
  answered = false;
  /** Called once, at its abort. */
  onAbort: ((reason: unknown) => void) | undefined;
  #resolve!: (value: V | undefined) => void;
  #reject!: (error: unknown) => void;
  #waiting = 0;
  #controller: AbortController | undefined;
  #aborted: { readonly reason: unknown } | undefined;

  constructor({ id, key, terms, fallback, stamp, startedAt, background }: FlightOptions<K, V>) {
    this.id = id;
    this.key = key;
    this.terms = terms;
    this.stamp = stamp;
    this.startedAt = startedAt;
    this.background = background;
    this.fallback = fallback;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (background) this.answer.catch(() => {});
  }

  /** Made when it is asked for: most loads never look. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted.reason);
    }
    return this.#controller.signal;
  }

  get isAborted(): boolean {
    return this.#aborted !== undefined;
  }

  /** Whether a caller waits for its answer. */
  get isAwaited(): boolean {
    return this.#waiting > 0 && !this.answered;
  }

  resolve(value: V | undefined): void {
    this.answered = true;
    this.#resolve(value);
  }

  reject(error: unknown): void {
    this.answered = true;
    this.#reject(error);
  }

  abort(reason: unknown): void {
    if (this.#aborted !== undefined) return;
    this.#aborted = { reason };
    this.#controller?.abort(reason);
    this.onAbort?.(reason);
  }

  /** The answer for one caller. `abandon` is called when the caller's abort leaves none that waits. */
  wait(signal: AbortSignal | undefined, abandon: () => void): Promise<V | undefined> {
    this.#waiting++;
    if (signal === undefined) return this.answer;
    const leave = () => {
      if (--this.#waiting > 0 || this.background || this.answered) return;
      this.answer.catch(() => {});
      abandon();
      this.abort(signal.reason);
    };
    signal.addEventListener('abort', leave, { once: true });
    return abortable(this.answer, signal).finally(() => signal.removeEventListener('abort', leave));
  }
}

/** The flights under way: one a key that may still store what it brings. */
export class Flights<K, V> {
  readonly #byId = new Map<unknown, Flight<K, V>>();
  readonly #all = new Set<Flight<K, V>>();
  #joinableFrom = 0;

  /** How many are under way, those that may not store included. */
  get size(): number {
    return this.#all.size;
  }

  /** The flight that a caller who comes now may wait for. */
  find(id: unknown): Flight<K, V> | undefined {
    const flight = this.#byId.get(id);
    return flight !== undefined && flight.stamp >= this.#joinableFrom ? flight : undefined;
  }

  add(flight: Flight<K, V>): void {
    this.#byId.set(flight.id, flight);
    this.#all.add(flight);
  }

  /** Whether what it brings may be stored: the key was not written, deleted or reset since it began. */
  isCurrent(flight: Flight<K, V>): boolean {
    return this.#byId.get(flight.id) === flight;
  }

  /** No other caller waits for it. */
  detach(flight: Flight<K, V>): void {
    if (this.isCurrent(flight)) this.#byId.delete(flight.id);
  }

  /** Answers; who comes now finds the value where it is kept, or starts another flight. */
  answer(flight: Flight<K, V>, value: V | undefined): void {
    this.detach(flight);
    flight.resolve(value);
  }

  /** It is over. */
  remove(flight: Flight<K, V>): void {
    this.detach(flight);
    this.#all.delete(flight);
  }

  /** What is under way for this key will not be stored, nor waited for by others than those who do. */
  fence(id: unknown): void {
    this.#byId.delete(id);
  }

  fenceAll(): void {
    this.#byId.clear();
  }

  /** Flights from before are not joined any more: the tags of what they will bring are not known yet. */
  tagsInvalidated(stamp: number): void {
    this.#joinableFrom = stamp;
  }

  abortAll(reason: unknown): void {
    for (const flight of this.#all) {
      flight.abort(reason);
      flight.reject(reason);
    }
  }
}
