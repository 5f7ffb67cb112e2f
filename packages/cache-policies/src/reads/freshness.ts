import { checkTags, checkTtl, type Settings } from '../options.ts';
import type { Entry, Origin, SharedEntry, Terms } from '../tiers/entry.ts';

const noTags: readonly string[] = [];

/** How long values may be served, fresh or stale. */
export class Freshness<K, V> {
  readonly #settings: Settings<K, V>;
  /** How long a stale value is kept. */
  readonly #keepStaleMs: number;

  constructor(settings: Settings<K, V>) {
    this.#settings = settings;
    this.#keepStaleMs = Math.max(settings.staleMs, settings.staleIfErrorMs);
  }

  /**
   * A new value as the tiers take it. It is not kept where `keepMs` is 0.
   * @throws InvalidOptionError for what the options `ttlMs` and `tags` returned
   */
  sharedEntryOf(key: K, value: V | undefined, terms: Terms, costMs: number): SharedEntry<V> {
    const freshMs = this.#freshMs(key, value, terms);
    const keepMs = freshMs + (value === undefined ? 0 : this.#keepStaleMs);
    return { value, freshMs, keepMs, costMs, tags: this.#tags(key, value, terms) };
  }

  /** A shared entry as the local tier keeps it. */
  entryOf(key: K, shared: SharedEntry<V>, { at, stamp }: Origin, now: number): Entry<K, V> {
    const { value, freshMs, costMs, tags } = shared;
    const freshUntil = now + Math.min(freshMs, this.#settings.localTtlMs);
    return { key, value, at, freshUntil, costMs, stamp, tags, retryAt: 0, isFollowed: true };
  }

  usableUntil(entry: Entry<K, V>): number {
    return this.#staleUntil(entry, this.#settings.staleMs);
  }

  keptUntil(entry: Entry<K, V>): number {
    return this.#staleUntil(entry, this.#settings.staleIfErrorMs);
  }

  /** Whether it is served at once while it is refreshed (stale-while-revalidate). */
  isUsable(entry: Entry<K, V>, now: number): boolean {
    return entry.value !== undefined && now < this.usableUntil(entry);
  }

  /** Whether it is served without waiting, though stale: while it is refreshed, or for `errorBackoffMs` after a failed load. */
  isServed(entry: Entry<K, V>, now: number): boolean {
    return this.isUsable(entry, now) || (now < entry.retryAt && this.isKept(entry, now));
  }

  /** Whether it is served when the load fails or is slow (stale-if-error). */
  isKept(entry: Entry<K, V>, now: number): boolean {
    return entry.value !== undefined && now < this.keptUntil(entry);
  }

  /** Whether this hit starts a refresh. */
  isDue(entry: Entry<K, V>, now: number): boolean {
    const { refreshAhead, random } = this.#settings;
    const leftMs = entry.freshUntil - now;
    if (now < entry.retryAt) return false;
    if (leftMs <= refreshAhead.lastMs) return true;
    const reachMs = entry.costMs * refreshAhead.beta;
    // the logarithm of the smallest draw is -36.7, or of 0 infinite
    if (leftMs > 37 * reachMs) return false;
    return -Math.log(random()) * reachMs >= leftMs;
  }

  /** `localTtlMs` bounds also what is stale. */
  #staleUntil({ freshUntil, at }: Entry<K, V>, staleMs: number): number {
    return Math.min(freshUntil + staleMs, at + this.#settings.localTtlMs);
  }

  #freshMs(key: K, value: V | undefined, { ttlMs }: Terms): number {
    const { jitter, random, negativeTtlMs } = this.#settings;
    const full = value === undefined ? negativeTtlMs : this.#ttlMs(key, value, ttlMs);
    return jitter === 0 || full === Number.POSITIVE_INFINITY ? full : full * (1 - jitter * random());
  }

  #ttlMs(key: K, value: V, ownMs: number | undefined): number {
    if (ownMs !== undefined) return checkTtl(ownMs);
    const { ttlMs } = this.#settings;
    return typeof ttlMs === 'number' ? ttlMs : checkTtl(ttlMs(key, value));
  }

  #tags(key: K, value: V | undefined, { tags: own = noTags }: Terms): readonly string[] {
    const { tags } = this.#settings;
    if (tags === undefined || value === undefined) return own;
    const its = checkTags(tags(key, value));
    return own.length === 0 ? its : [...own, ...its];
  }
}
