import { abortable } from '@ashlar/core';
import type { WallClock } from '../clock.ts';
import { OverloadedError } from '../errors.ts';

export type Compute<K, V> = (
  key: K,
  context: { readonly signal: AbortSignal },
) => Promise<V | undefined> | V | undefined;

export interface OnDemandOptions {
  /** Keys that are computed at once. Default: 16. */
  readonly concurrency?: number;
  /** Keys that may wait for their turn; more are refused with OverloadedError. Default: 1 000. */
  readonly maxWaiting?: number;
  /** Values that are kept, those used last. Default: 10 000. */
  readonly max?: number;
  /** How long a value is kept, in milliseconds. Default: 60 000. */
  readonly ttlMs?: number;
}

export interface OnDemandSettings extends Required<OnDemandOptions> {
  readonly name: string;
  readonly clock: WallClock;
}

interface Kept<V> {
  readonly value: V | undefined;
  readonly until: number;
}

/** Values that no version has: computed once however many ask, a few at once, and kept for a while. */
export class OnDemand<K, V> {
  readonly #compute: Compute<K, V>;
  readonly #settings: OnDemandSettings;
  readonly #closing = new AbortController();
  readonly #kept = new Map<string, Kept<V>>();
  readonly #flights = new Map<string, Promise<V | undefined>>();
  readonly #turns: (() => void)[] = [];
  #working = 0;

  constructor(compute: Compute<K, V>, settings: OnDemandSettings) {
    this.#compute = compute;
    this.#settings = settings;
  }

  /** What is kept of the key: `{ value: undefined }` when it was computed and has no value. */
  peek(id: string): { readonly value: V | undefined } | undefined {
    const kept = this.#kept.get(id);
    if (kept === undefined) return undefined;
    this.#kept.delete(id);
    if (kept.until <= this.#settings.clock.now()) return undefined;
    this.#kept.set(id, kept); // The least recently used is first
    return kept;
  }

  /** The computed value. Rejects with the error of `compute`, OverloadedError, or the signal's reason; the work goes on for others. */
  get(id: string, key: K, signal: AbortSignal | undefined): Promise<V | undefined> {
    let flight = this.#flights.get(id);
    if (flight === undefined) {
      flight = this.#fly(id, key).finally(() => this.#flights.delete(id));
      flight.catch(() => {}); // Also when every caller has left
      this.#flights.set(id, flight);
    }
    return abortable(flight, signal);
  }

  close(reason: unknown): void {
    this.#closing.abort(reason);
    for (const turn of this.#turns.splice(0)) turn();
  }

  async #fly(id: string, key: K): Promise<V | undefined> {
    const { name, concurrency, maxWaiting, max, ttlMs, clock } = this.#settings;
    const { signal } = this.#closing;
    if (this.#working >= concurrency) {
      if (this.#turns.length >= maxWaiting) throw new OverloadedError(name, this.#turns.length);
      await new Promise<void>(resolve => this.#turns.push(resolve));
    } else this.#working++;
    try {
      signal.throwIfAborted();
      const value = await this.#compute(key, { signal });
      this.#kept.delete(id);
      this.#kept.set(id, { value, until: clock.now() + ttlMs });
      if (this.#kept.size > max) this.#kept.delete(this.#kept.keys().next().value!);
      return value;
    } finally {
      // The turn goes to the next, or is free
      const next = this.#turns.shift();
      if (next === undefined) this.#working--;
      else next();
    }
  }
}
