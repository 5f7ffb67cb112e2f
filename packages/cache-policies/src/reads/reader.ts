import { abortable, type Clock } from '@ashlar/core';
import type { AccessObserver, HitCount } from '../advisor/access-observer.ts';
import { checkCallOptions } from '../call-options.ts';
import { channels, type HitMessage } from '../diagnostics.ts';
import type { Counters } from '../events.ts';
import type { GetManyOptions, GetOptions, Load } from '../options.ts';
import type { ReadSettings } from '../settings.ts';
import type { Slot } from '../tiers/entry.ts';
import type { LocalTier } from '../tiers/local-tier.ts';
import type { RemoteLink } from '../tiers/remote-link.ts';
import type { Writer } from '../writes/write-strategy.ts';
import type { Shelf } from './fallback.ts';
import type { Loader } from './fetcher.ts';
import { Flight, type Flights } from './flight.ts';
import type { Freshness, Terms } from './freshness.ts';
import type { Source } from './source-loader.ts';
import type { Want } from './want.ts';

export interface ReaderParts<K, V> {
  readonly settings: ReadSettings<K, V>;
  readonly idOf: (key: K) => unknown;
  readonly source: Source<K, V> | undefined;
  readonly local: LocalTier<K, V>;
  readonly flights: Flights<V>;
  readonly freshness: Freshness<K, V>;
  readonly shelf: Shelf<K, V>;
  readonly loader: Loader<K, V>;
  readonly link: RemoteLink<V> | undefined;
  readonly observer: AccessObserver<K> | undefined;
  readonly counters: Counters;
}

/** Wants that are fetched together: those that are waited for, and those that refresh. */
interface Batch<K, V> {
  readonly awaited: Want<K, V>[];
  readonly refreshes: Want<K, V>[];
}

const noOptions: GetOptions = {};

/** Answers reads from what is there, and sees to it that the rest is fetched once. */
export class Reader<K, V> {
  readonly #parts: ReaderParts<K, V>;
  readonly #local: LocalTier<K, V>;
  readonly #link: RemoteLink<V> | undefined;
  readonly #clock: Clock;
  readonly #idOf: (key: K) => unknown;
  readonly #refreshesAhead: boolean;
  readonly #unfollowed: HitCount;
  /** Set once the writer is there, which needs the reader. */
  writer: Writer<K, V> | undefined;

  constructor(parts: ReaderParts<K, V>) {
    this.#parts = parts;
    this.#local = parts.local;
    this.#link = parts.link;
    this.#idOf = parts.idOf;
    this.#clock = parts.settings.clock;
    this.#unfollowed = parts.observer?.unfollowed ?? { hits: 0 };
    const { refreshBeta, refreshLastMs } = parts.settings;
    this.#refreshesAhead = refreshBeta > 0 || refreshLastMs > 0;
  }

  get(key: K, load: Load<K, V> | undefined, options: GetOptions = noOptions): Promise<V | undefined> {
    const answer = this.#answer(this.#idOf(key), key, load, options, undefined);
    return answer instanceof Promise ? answer : Promise.resolve(answer);
  }

  async getMany(keys: readonly K[], { signal }: GetManyOptions = noOptions): Promise<Map<K, V>> {
    const starting = this.writer?.starting;
    if (starting !== undefined) await abortable(starting, signal);
    const ids = keys.map(key => this.#idOf(key));
    const batch: Batch<K, V> = { awaited: [], refreshes: [] };
    const options = signal === undefined ? noOptions : { signal };
    const answers = keys.map((key, i) => this.#answer(ids[i], key, undefined, options, batch));
    const { loader, source } = this.#parts;
    if (batch.awaited.length > 0) void loader.fetch(batch.awaited, source);
    if (batch.refreshes.length > 0) void loader.fetch(batch.refreshes, source);
    const values = await Promise.all(answers);
    const found = new Map<K, V>();
    for (const [i, value] of values.entries()) if (value !== undefined) found.set(keys[i]!, value);
    return found;
  }

  /** What `get` would answer without waiting. */
  peek(key: K): V | undefined {
    const id = this.#idOf(key);
    const pending = this.writer?.pending?.(id);
    if (pending !== undefined) return pending.value;
    const slot = this.#local.peek(id);
    if (slot === undefined) return undefined;
    const now = this.#clock.now();
    const isThere = now < slot.freshUntil || this.#parts.freshness.isUsable(slot, now);
    return isThere && this.#mayServe(slot, now) ? slot.value : undefined;
  }

  /** Keeps to one path for hits: no promise is made, and the time is only asked for where it matters. */
  #answer(
    id: unknown,
    key: K,
    load: Load<K, V> | undefined,
    options: GetOptions,
    batch: Batch<K, V> | undefined,
  ): V | undefined | Promise<V | undefined> {
    const slot = this.#local.get(id);
    if (slot !== undefined) {
      if (slot.freshUntil === Number.POSITIVE_INFINITY && this.#link === undefined) {
        this.#tellHit(id, key, 'local', slot.isFollowed);
        return slot.value;
      }
      const now = this.#clock.now();
      if (now < slot.freshUntil && this.#mayServe(slot, now)) {
        if (this.#refreshesAhead && this.#parts.freshness.isDue(slot, now)) {
          this.#refresh(id, key, load, options, slot, batch);
        }
        this.#tellHit(id, key, 'local', slot.isFollowed);
        return slot.value;
      }
    }
    return this.#beyond(id, key, load, options, slot, batch);
  }

  /** The local tier has nothing fresh. */
  #beyond(
    id: unknown,
    key: K,
    load: Load<K, V> | undefined,
    options: GetOptions,
    slot: Slot<K, V> | undefined,
    batch: Batch<K, V> | undefined,
  ): V | undefined | Promise<V | undefined> {
    if (options !== noOptions) checkCallOptions('get', options);
    const { writer } = this;
    if (writer !== undefined) {
      const { starting } = writer;
      if (starting !== undefined) {
        return abortable(starting, options.signal).then(() => this.get(key, load, options));
      }
      const pending = writer.pending?.(id);
      if (pending !== undefined) {
        if (pending.value !== undefined || load === undefined) {
          this.#tellHit(id, key, 'pending', true);
          return pending.value;
        }
        // a load of its own must not see what is about to be deleted
        return abortable(writer.flush!(), options.signal).then(() => this.get(key, load, options));
      }
    }
    const { flights, freshness, shelf } = this.#parts;
    const now = this.#clock.now();
    const kept = slot !== undefined && this.#mayServe(slot, now) ? slot : undefined;
    if (kept !== undefined) {
      const isUsable = freshness.isUsable(kept, now);
      if (isUsable || (now < kept.retryAt && freshness.isKept(kept, now))) {
        if (now >= kept.retryAt) this.#refresh(id, key, load, options, kept, batch);
        this.#observeHit(id, key, kept.isFollowed);
        shelf.tellStale(key, isUsable ? 'refresh' : 'error');
        return kept.value;
      }
    }
    this.#tellMiss(id, key);
    let flight = flights.find(id);
    if (flight !== undefined && this.#link?.mayJoin(flight.startedAt, now) === false) flight = undefined;
    flight ??= this.#start(id, key, load, options, kept, false, batch);
    if (flight === undefined) return undefined;
    const joined = flight;
    return flight.wait(options.signal, () => flights.detach(id, joined));
  }

  #refresh(
    id: unknown,
    key: K,
    load: Load<K, V> | undefined,
    terms: Terms,
    slot: Slot<K, V>,
    batch: Batch<K, V> | undefined,
  ): void {
    if (this.#parts.flights.find(id) !== undefined || this.writer?.pending?.(id) !== undefined) return;
    if (this.#start(id, key, load, terms, slot, true, batch) !== undefined) this.#parts.counters.refreshes++;
  }

  /** A flight, on its way unless its batch goes later; undefined when there is nobody to ask. */
  #start(
    id: unknown,
    key: K,
    load: Load<K, V> | undefined,
    terms: Terms,
    fallback: Slot<K, V> | undefined,
    background: boolean,
    batch: Batch<K, V> | undefined,
  ): Flight<V> | undefined {
    const { flights, loader, source: own, link } = this.#parts;
    const source = load === undefined ? own : { load, loadMany: undefined };
    if (source === undefined && link === undefined) return undefined;
    const flight = new Flight<V>(this.#local.changes, this.#clock.now(), background);
    flights.add(id, flight);
    const want: Want<K, V> = { id, key, flight, terms, fallback };
    if (batch === undefined) void loader.fetch([want], source);
    else (background ? batch.refreshes : batch.awaited).push(want);
    return flight;
  }

  #mayServe(slot: Slot<K, V>, now: number): boolean {
    return this.#link === undefined || this.#link.mayServe(slot.at, now);
  }

  #tellHit(id: unknown, key: K, tier: HitMessage['tier'], isFollowed: boolean): void {
    const { counters, settings } = this.#parts;
    if (tier === 'local') counters.hits++;
    else counters.pendingHits++;
    this.#observeHit(id, key, isFollowed);
    if (channels.hit.hasSubscribers) channels.hit.publish({ cache: settings.name, key, tier });
  }

  #tellMiss(id: unknown, key: K): void {
    const { counters, settings, observer } = this.#parts;
    counters.misses++;
    observer?.accessed(id, key, false);
    if (channels.miss.hasSubscribers) channels.miss.publish({ cache: settings.name, key });
  }

  #observeHit(id: unknown, key: K, isFollowed: boolean): void {
    if (isFollowed) this.#parts.observer?.accessed(id, key, true);
    else this.#unfollowed.hits++;
  }
}
