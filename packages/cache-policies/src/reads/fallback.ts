import { channels, type StaleServedMessage } from '../diagnostics.ts';
import { LoadError, LoadTimeoutError } from '../errors.ts';
import type { Counters } from '../events.ts';
import type { ReadSettings } from '../settings.ts';
import type { Slot } from '../tiers/entry.ts';
import type { LocalTier } from '../tiers/local-tier.ts';
import type { Flights } from './flight.ts';
import type { Freshness } from './freshness.ts';
import type { Want } from './want.ts';

export interface ShelfParts<K, V> {
  readonly settings: ReadSettings<K, V>;
  readonly local: LocalTier<K, V>;
  readonly flights: Flights<V>;
  readonly freshness: Freshness<K, V>;
  readonly counters: Counters;
}

/** How what was found or loaded becomes the answer of a flight and a slot of the local tier. */
export class Shelf<K, V> {
  readonly #settings: ReadSettings<K, V>;
  readonly #local: LocalTier<K, V>;
  readonly #flights: Flights<V>;
  readonly #freshness: Freshness<K, V>;
  readonly #counters: Counters;

  constructor({ settings, local, flights, freshness, counters }: ShelfParts<K, V>) {
    this.#settings = settings;
    this.#local = local;
    this.#flights = flights;
    this.#freshness = freshness;
    this.#counters = counters;
  }

  /** Keeps it in this process, unless the key was changed since the flight began. */
  keep({ id, flight }: Want<K, V>, slot: Slot<K, V>): void {
    if (this.#flights.isCurrent(id, flight)) this.#local.put(id, slot);
  }

  /** Answers; who comes now finds it where it is kept, or asks anew. */
  answer({ id, flight }: Want<K, V>, value: V | undefined): void {
    this.#flights.detach(id, flight);
    flight.resolve(value);
  }

  /** Answers with what is kept, if it may still be served at all. */
  answerStale(want: Want<K, V>, reason: StaleServedMessage['reason']): boolean {
    const { key, flight, fallback } = want;
    if (fallback === undefined) return false;
    const now = this.#settings.clock.now();
    const serves =
      reason === 'refresh' ? this.#freshness.isUsable(fallback, now) : this.#freshness.isKept(fallback, now);
    if (!serves) return false;
    if (flight.isAwaited) this.tellStale(key, reason);
    flight.resolve(fallback.value);
    return true;
  }

  tellRemoteHit({ key }: Want<K, V>): void {
    this.#counters.remoteHits++;
    const { hit } = channels;
    if (hit.hasSubscribers) hit.publish({ cache: this.#settings.name, key, tier: 'remote' });
  }

  tellStale(key: K, reason: StaleServedMessage['reason']): void {
    this.#counters.staleServed++;
    const { staleServed } = channels;
    if (staleServed.hasSubscribers) staleServed.publish({ cache: this.#settings.name, key, reason });
  }

  tellLoad({ key, flight }: Want<K, V>, durationMs: number, failure?: { readonly error: unknown }): void {
    this.#counters.loads++;
    if (failure !== undefined) this.#counters.loadFailures++;
    if (!channels.load.hasSubscribers) return;
    const background = flight.background || flight.answered;
    channels.load.publish({ cache: this.#settings.name, key, durationMs, background, ...failure });
  }

  /** What is kept is left alone for a while. */
  postpone(want: Want<K, V>, forMs: number): void {
    const { fallback } = want;
    if (fallback === undefined) return;
    fallback.retryAt = this.#settings.clock.now() + forMs;
    this.keep(want, fallback);
  }

  /** Answers with what is kept, which is then left alone for a while, or else with the error. */
  fail(want: Want<K, V>, error: unknown): void {
    const { key, flight } = want;
    this.postpone(want, this.#settings.errorBackoffMs);
    if (this.answerStale(want, 'error')) return;
    const { name } = this.#settings;
    this.#flights.detach(want.id, flight);
    flight.reject(error instanceof LoadTimeoutError ? error : new LoadError(name, key, error));
  }
}
