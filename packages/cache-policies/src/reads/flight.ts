import type { Entry, Terms } from '../tiers/entry.ts';
import { untilAbort } from '../waits.ts';
import type { Loaded, LoadScope } from './load-scope.ts';

export interface FlightOptions<K, V> {
  /** The key as the tiers have it. */
  readonly id: unknown;
  readonly key: K;
  /** Of the call that started it. */
  readonly terms: Terms;
  /** The stale entry of the key, to be served when there is nothing better. */
  readonly fallback: Entry<K, V> | undefined;
  /** The number of tag invalidations at its start: a later one may concern the value that it brings. */
  readonly stamp: number;
  readonly startedAt: number;
  /** It refreshes a value that is served meanwhile. */
  readonly background: boolean;
}

/**
 * The single read or load of a key that all its callers wait for. It aborts when all of them have aborted, unless it runs in
 * the background.
 */
export class Flight<K, V> implements Loaded {
  readonly id: unknown;
  readonly key: K;
  readonly terms: Terms;
  readonly stamp: number;
  readonly startedAt: number;
  readonly background: boolean;
  fallback: Entry<K, V> | undefined;
  /** Those of the value that it answered with. */
  tags: readonly string[] = [];
  scope: LoadScope | undefined;
  /** Set when it has settled; its work may go on after that. */
  answered = false;
  /** Called once, at its abort. */
  onAbort: ((reason: unknown) => void) | undefined;
  #answer!: Promise<V | undefined>;
  /** When the answer, a stale value, is too old for a further caller. */
  #answerUntil = Number.POSITIVE_INFINITY;
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
    this.#open();
  }

  /** Created on first use: most loads never read it. */
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

  /** Whether a caller waits for it. */
  get isAwaited(): boolean {
    return this.#waiting > 0 && !this.answered;
  }

  /** `until` is when a stale value is too old for a further caller. */
  resolve(value: V | undefined, until: number = Number.POSITIVE_INFINITY): void {
    this.answered = true;
    this.#answerUntil = until;
    this.#resolve(value);
  }

  /** A caller that joins when the stale answer is too old waits for what the flight brings. */
  reopenAt(now: number): void {
    if (this.answered && now >= this.#answerUntil) this.#open();
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

  /** The answer for one caller. `abandon` is called when the caller's abort leaves no other. */
  wait(signal: AbortSignal | undefined, abandon: () => void): Promise<V | undefined> {
    this.#waiting++;
    return untilAbort(this.#answer, signal, reason => {
      if (--this.#waiting > 0 || this.background || this.answered) return;
      this.#answer.catch(() => {});
      abandon();
      this.abort(reason);
    });
  }

  #open(): void {
    this.answered = false;
    this.#waiting = 0;
    this.#answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (this.background) this.#answer.catch(() => {});
  }
}

/** The flights under way, at most one for each key that may still store its result. */
export class Flights<K, V> {
  readonly #byId = new Map<unknown, Flight<K, V>>();
  readonly #all = new Set<Flight<K, V>>();
  #ended: (() => void) | undefined;

  /** The number under way, those that may not store included. */
  get size(): number {
    return this.#all.size;
  }

  /** The flight of the key whose result may still be stored. */
  find(id: unknown): Flight<K, V> | undefined {
    return this.#byId.get(id);
  }

  add(flight: Flight<K, V>): void {
    this.#byId.set(flight.id, flight);
    this.#all.add(flight);
  }

  /** Whether its result may be stored: the key was not written, deleted or reset since it began. */
  isCurrent(flight: Flight<K, V>): boolean {
    return this.#byId.get(flight.id) === flight;
  }

  /** No further caller joins it. */
  detach(flight: Flight<K, V>): void {
    if (this.isCurrent(flight)) this.#byId.delete(flight.id);
  }

  /** Resolves it; a new caller finds the value in a tier, or starts another flight. */
  answer(flight: Flight<K, V>, value: V | undefined): void {
    this.detach(flight);
    flight.resolve(value);
  }

  /** It has ended. */
  remove(flight: Flight<K, V>): void {
    this.detach(flight);
    this.#all.delete(flight);
    if (this.#all.size === 0) this.#ended?.();
  }

  /** The result of the key's flight will not be stored, and no further caller joins it. */
  fence(id: unknown): void {
    this.#byId.delete(id);
  }

  fenceAll(): void {
    this.#byId.clear();
  }

  abortAll(reason: unknown): void {
    for (const flight of this.#all) {
      flight.reject(reason);
      flight.abort(reason);
    }
  }

  /** Resolves when none is under way. */
  ended(): Promise<void> {
    return this.#all.size === 0 ? Promise.resolve() : new Promise(resolve => (this.#ended = resolve));
  }
}
