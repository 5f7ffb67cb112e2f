import { checkTags, checkTtl } from '../call-options.ts';
import type { ReadSettings } from '../settings.ts';
import type { Slot } from '../tiers/entry.ts';

/** What a call says of the value that it brings. */
export interface Terms {
  readonly ttlMs?: number | undefined;
  readonly tags?: readonly string[] | undefined;
}

const noTags: readonly string[] = [];

/** For how long a value may be served, and how. */
export class Freshness<K, V> {
  readonly #settings: ReadSettings<K, V>;
  /** How long beyond its freshness a value is of any use. */
  readonly keepStaleMs: number;

  constructor(settings: ReadSettings<K, V>) {
    this.#settings = settings;
    this.keepStaleMs = Math.max(settings.staleMs, settings.staleIfErrorMs);
  }

  /** How long a new value is fresh. 0: it is not to be kept. @throws InvalidOptionError for what `ttlMs` returned */
  freshMs(key: K, value: V | undefined, { ttlMs }: Terms): number {
    const { jitter, random, negativeTtlMs } = this.#settings;
    const full = value === undefined ? negativeTtlMs : this.#ttlMs(key, value, ttlMs);
    return jitter === 0 || full === Number.POSITIVE_INFINITY ? full : full * (1 - jitter * random());
  }

  tags(key: K, value: V | undefined, { tags: own = noTags }: Terms): readonly string[] {
    const { tags } = this.#settings;
    if (tags === undefined || value === undefined) return own;
    const its = checkTags(tags(key, value));
    return own.length === 0 ? its : [...own, ...its];
  }

  /** Whether it is served at once while it is refreshed. */
  isUsable(slot: Slot<K, V>, now: number): boolean {
    return slot.value !== undefined && now < slot.freshUntil + this.#settings.staleMs;
  }

  /** Whether it is served when there is nothing better. */
  isKept(slot: Slot<K, V>, now: number): boolean {
    return slot.value !== undefined && now < slot.freshUntil + this.#settings.staleIfErrorMs;
  }

  /** Whether this hit is to begin a refresh. */
  isDue(slot: Slot<K, V>, now: number): boolean {
    const { refreshLastMs, refreshBeta, random } = this.#settings;
    const leftMs = slot.freshUntil - now;
    if (now < slot.retryAt) return false;
    if (leftMs <= refreshLastMs) return true;
    const reachMs = slot.costMs * refreshBeta;
    // the logarithm of the smallest draw is -36.7, or of 0 infinite
    if (leftMs > 37 * reachMs) return false;
    return -Math.log(random()) * reachMs >= leftMs;
  }

  #ttlMs(key: K, value: V, ownMs: number | undefined): number {
    if (ownMs !== undefined) return checkTtl(ownMs);
    const { ttlMs } = this.#settings;
    return typeof ttlMs === 'number' ? ttlMs : checkTtl(ttlMs(key, value));
  }
}
