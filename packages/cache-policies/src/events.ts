import type { AccessObserver, HitCount } from './advisor/access-observer.ts';
import {
  type ConnectionMessage,
  channels,
  type HitMessage,
  type OwedMessage,
  type StaleServedMessage,
} from './diagnostics.ts';
import type { ResetReason } from './tiers/remote-tier.ts';

/** Counts since the cache was created. */
export class Counters {
  /** Reads that a fresh value of the local tier answered. */
  hits = 0;
  /** Reads that a fresh value of the shared tier answered; they are `misses` of the local tier too. */
  remoteHits = 0;
  /** Reads that a pending write answered. */
  pendingHits = 0;
  /** Reads for which the local tier had no value that may be served. */
  misses = 0;
  /** Reads that a stale value answered. */
  staleServed = 0;
  /** Loads of a key that ended, those that failed included. */
  loads = 0;
  loadFailures = 0;
  /** Loads that were started to refresh a value that was served meanwhile. */
  refreshes = 0;
  /** Entries that the eviction policy removed from the local tier, or did not admit. */
  evictions = 0;
  /** Calls of `set` and `delete`, those that failed included. */
  writes = 0;
  writeFailures = 0;
  /** Tags that this cache invalidated; and keys and tags that other caches changed. */
  invalidations = 0;
  /** How often the shared tier emptied the local one. */
  resets = 0;
}

/** Counts and publishes events of a cache, and notifies the observer. A message is made only for subscribers. */
export class Events<K> {
  readonly counters: Counters = new Counters();
  readonly #cache: string;
  readonly #observer: AccessObserver<K> | undefined;
  readonly #unfollowed: HitCount;

  constructor(cache: string, observer: AccessObserver<K> | undefined) {
    this.#cache = cache;
    this.#observer = observer;
    this.#unfollowed = observer?.unfollowed ?? { hits: 0 };
  }

  /** On the hot path of hits. */
  hit(id: unknown, key: K, tier: 'local' | 'pending', isFollowed: boolean): void {
    if (tier === 'local') this.counters.hits++;
    else this.counters.pendingHits++;
    this.#observeHit(id, key, isFollowed);
    this.#publishHit(key, tier);
  }

  /** The observer was notified of the miss of the local tier before. */
  remoteHit(key: K): void {
    this.counters.remoteHits++;
    this.#publishHit(key, 'remote');
  }

  miss(id: unknown, key: K): void {
    this.counters.misses++;
    this.#observer?.accessed(id, key, false);
    if (channels.miss.hasSubscribers) channels.miss.publish({ cache: this.#cache, key });
  }

  /** A stale value of the local tier was served, which is a hit for the observer. */
  staleHit(id: unknown, key: K, isFollowed: boolean, reason: StaleServedMessage['reason']): void {
    this.#observeHit(id, key, isFollowed);
    this.staleServed(key, reason);
  }

  staleServed(key: K, reason: StaleServedMessage['reason']): void {
    this.counters.staleServed++;
    const { staleServed } = channels;
    if (staleServed.hasSubscribers) staleServed.publish({ cache: this.#cache, key, reason });
  }

  load(key: K, durationMs: number, background: boolean, failure?: { readonly error: unknown }): void {
    this.counters.loads++;
    if (failure !== undefined) this.counters.loadFailures++;
    const { load } = channels;
    if (load.hasSubscribers) load.publish({ cache: this.#cache, key, durationMs, background, ...failure });
  }

  evicted(key: K): void {
    this.counters.evictions++;
    this.#observer?.evicted?.(key);
    if (channels.evict.hasSubscribers) channels.evict.publish({ cache: this.#cache, key });
  }

  reset(reason: ResetReason): void {
    this.counters.resets++;
    if (channels.reset.hasSubscribers) channels.reset.publish({ cache: this.#cache, reason });
  }

  connection(state: ConnectionMessage['state'], error: Error | undefined): void {
    const { connection } = channels;
    if (!connection.hasSubscribers) return;
    connection.publish({ cache: this.#cache, state, ...(error === undefined ? {} : { error }) });
  }

  tierFailed(operation: string, error: unknown): void {
    const { tierFailed } = channels;
    if (tierFailed.hasSubscribers) tierFailed.publish({ cache: this.#cache, operation, error });
  }

  owed(state: OwedMessage['state'], pending: OwedMessage['pending'], error?: unknown): void {
    const { owed } = channels;
    if (!owed.hasSubscribers) return;
    owed.publish({ cache: this.#cache, state, pending, ...(error === undefined ? {} : { error }) });
  }

  /** A write that is not kept: its `set` or `delete` rejects. */
  writeFailed(key: K, error: unknown): void {
    const { writeFailed } = channels;
    if (!writeFailed.hasSubscribers) return;
    writeFailed.publish({ cache: this.#cache, keys: [key], attempt: 1, kept: false, error });
  }

  /** The observer's `follows`: whether it is notified of each hit of the key. */
  isFollowed(id: unknown, key: K): boolean {
    return this.#observer?.follows?.(id, key) ?? true;
  }

  #publishHit(key: K, tier: HitMessage['tier']): void {
    if (channels.hit.hasSubscribers) channels.hit.publish({ cache: this.#cache, key, tier });
  }

  #observeHit(id: unknown, key: K, isFollowed: boolean): void {
    if (isFollowed) this.#observer?.accessed(id, key, true);
    else this.#unfollowed.hits++;
  }
}
