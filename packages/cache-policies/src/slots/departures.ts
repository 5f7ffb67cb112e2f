import type { Bound, EvictionReason } from '../bounded-map.ts';

interface Departure<K, V> {
  readonly key: K;
  readonly value: V;
  readonly reason: EvictionReason;
}

/** What has left and is not yet told: a map tells when its operation is done, so that the one told may use the map. */
export class Departures<K, V> {
  readonly #onEvict: NonNullable<Bound<K, V>['onEvict']>;
  #waiting: Departure<K, V>[] = [];

  constructor(onEvict: NonNullable<Bound<K, V>['onEvict']>) {
    this.#onEvict = onEvict;
  }

  add(key: K, value: V, reason: EvictionReason): void {
    this.#waiting.push({ key, value, reason });
  }

  /** Tells each, also when one fails; the first error is thrown at the end. */
  notify(): void {
    if (this.#waiting.length === 0) return;
    const leaving = this.#waiting;
    this.#waiting = [];
    let failure: { readonly error: unknown } | undefined;
    for (const { key, value, reason } of leaving) {
      try {
        this.#onEvict(key, value, reason);
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure !== undefined) throw failure.error;
  }
}
