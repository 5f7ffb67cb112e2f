import type { Clock } from '@ashlar/core';
import { LoadTimeoutError } from '../errors.ts';
import type { LoadContext } from '../options.ts';
import type { ReadSettings } from '../settings.ts';
import type { LinkRead, RemoteLink } from '../tiers/remote-link.ts';
import type { ReadOptions } from '../tiers/remote-tier.ts';
import type { Shelf } from './fallback.ts';
import type { Flight, Flights } from './flight.ts';
import type { Freshness } from './freshness.ts';
import { askOne, byId, type Source, within } from './source-loader.ts';
import { minFreshMs, type Want } from './want.ts';

/** The right to keep what is loaded: under a lease, in this process alone, or nowhere. */
type Right = { readonly lease: string } | 'local' | 'none';

const firstPollMs = 5;
const longestPollMs = 100;

export interface LoaderParts<K, V> {
  readonly settings: ReadSettings<K, V>;
  readonly idOf: (key: K) => unknown;
  readonly flights: Flights<V>;
  readonly freshness: Freshness<K, V>;
  readonly shelf: Shelf<K, V>;
  readonly link: RemoteLink<V> | undefined;
}

/** Finds keys in the shared tier or loads them from their source, each for one flight. */
export class Loader<K, V> {
  readonly #settings: ReadSettings<K, V>;
  readonly #idOf: (key: K) => unknown;
  readonly #flights: Flights<V>;
  readonly #freshness: Freshness<K, V>;
  readonly #shelf: Shelf<K, V>;
  readonly #link: RemoteLink<V> | undefined;

  constructor({ settings, idOf, flights, freshness, shelf, link }: LoaderParts<K, V>) {
    this.#settings = settings;
    this.#idOf = idOf;
    this.#flights = flights;
    this.#freshness = freshness;
    this.#shelf = shelf;
    this.#link = link;
  }

  /** Answers every flight. Never rejects. */
  async fetch(wants: readonly Want<K, V>[], source: Source<K, V> | undefined): Promise<void> {
    try {
      if (this.#link !== undefined) await this.#fromTier(this.#link, wants, source, 0);
      else if (source !== undefined) await this.#fromSource(wants, source, () => 'local');
    } catch (error) {
      for (const want of wants) this.#shelf.fail(want, error);
    } finally {
      for (const { id, flight } of wants) {
        this.#flights.remove(id, flight);
        if (!flight.answered) flight.resolve(undefined);
      }
    }
  }

  async #fromTier(
    link: RemoteLink<V>,
    wants: readonly Want<K, V>[],
    source: Source<K, V> | undefined,
    waitedMs: number,
  ): Promise<void> {
    const { clock, leaseMs } = this.#settings;
    const askedAt = clock.now();
    const options = { ...(source && { leaseMs }), minFreshMs: minFreshMs(wants[0]!, askedAt) };
    const reads = await this.#read(link, wants, options);
    const rights = new Map<Want<K, V>, Right>();
    const busy: Promise<void>[] = [];
    for (const want of wants) {
      const read = reads.get(want);
      if (read === undefined) rights.set(want, link.keepsUnprotected ? 'local' : 'none');
      else if (this.#takeEntry(want, read, askedAt) || source === undefined) continue;
      else if (read.lease !== undefined) rights.set(want, { lease: read.lease });
      else busy.push(this.#await(link, want, source, waitedMs, read.busyMs ?? 0));
    }
    const toLoad = [...rights.keys()];
    if (source !== undefined && toLoad.length > 0) {
      await this.#fromSource(toLoad, source, want => rights.get(want)!);
    }
    await Promise.all(busy);
  }

  async #read(
    link: RemoteLink<V>,
    wants: readonly Want<K, V>[],
    options: ReadOptions,
  ): Promise<ReadonlyMap<Want<K, V>, LinkRead<V>>> {
    const asked = wants.filter(({ id }) => link.isUsable(id as string));
    if (asked.length === 0) return new Map();
    const ids = asked.map(({ id }) => id as string);
    const reads = (await link.read(ids, options)) ?? [];
    return new Map(reads.map((read, i) => [asked[i]!, read]));
  }

  /** Whether the entry is all that is wanted. A stale one that may be served answers, and the load goes on. */
  #takeEntry(want: Want<K, V>, { entry, lease, busyMs }: LinkRead<V>, askedAt: number): boolean {
    if (entry === undefined) return false;
    const { flight, key } = want;
    const { value, freshMs, costMs, tags } = entry;
    const freshUntil = askedAt + Math.min(freshMs, this.#settings.localTtlMs);
    const slot = {
      key,
      value,
      at: askedAt,
      freshUntil,
      costMs,
      stamp: flight.stamp,
      tags,
      retryAt: 0,
      isFollowed: true,
    };
    if (freshMs > 0) {
      this.#shelf.keep(want, slot);
      if (lease === undefined && busyMs === undefined) {
        if (flight.isAwaited) this.#shelf.tellRemoteHit(want);
        this.#shelf.answer(want, value);
        return true;
      }
    }
    if (want.fallback === undefined || want.fallback.freshUntil < freshUntil) want.fallback = slot;
    if (!flight.background && this.#shelf.answerStale(want, 'refresh')) this.#shelf.keep(want, slot);
    return false;
  }

  /** Another process has the key in hand. */
  async #await(
    link: RemoteLink<V>,
    want: Want<K, V>,
    source: Source<K, V>,
    waitedMs: number,
    busyMs: number,
  ): Promise<void> {
    const { callerClock, leaseWaitMs } = this.#settings;
    const { flight } = want;
    if (flight.answered || (flight.background && !flight.isAwaited)) {
      this.#shelf.postpone(want, Math.min(busyMs, longestPollMs));
      return;
    }
    if (waitedMs >= leaseWaitMs) return this.#fromSource([want], source, () => 'none');
    const pollMs = Math.min(Math.max(waitedMs, firstPollMs), longestPollMs, leaseWaitMs - waitedMs);
    await callerClock.sleep(pollMs, flight.signal).catch(() => {});
    if (!flight.isAborted) await this.#fromTier(link, [want], source, waitedMs + pollMs);
  }

  async #fromSource(
    wants: readonly Want<K, V>[],
    source: Source<K, V>,
    rightTo: (want: Want<K, V>) => Right,
  ): Promise<void> {
    if (wants.length > 1 && source.loadMany !== undefined) return this.#many(wants, source.loadMany, rightTo);
    await Promise.all(wants.map(want => this.#one(want, source, rightTo(want))));
  }

  async #one(want: Want<K, V>, source: Source<K, V>, right: Right): Promise<void> {
    const { key, flight } = want;
    if (flight.isAborted) return this.#giveBack(want, right);
    const { clock } = this.#settings;
    const startedAt = clock.now();
    const over = this.#answerWhenSlow([want]);
    try {
      const loading = askOne(source, key, this.#idOf, contextOf(flight));
      const value = await this.#limited(flight, key, loading, reason => flight.abort(reason));
      await this.#deliver(want, value, startedAt, right);
    } catch (error) {
      this.#shelf.tellLoad(want, clock.now() - startedAt, { error });
      this.#shelf.fail(want, error);
      await this.#giveBack(want, right);
    } finally {
      over();
    }
  }

  async #many(
    wants: readonly Want<K, V>[],
    loadMany: NonNullable<Source<K, V>['loadMany']>,
    rightTo: (want: Want<K, V>) => Right,
  ): Promise<void> {
    const { clock } = this.#settings;
    const startedAt = clock.now();
    const over = this.#answerWhenSlow(wants);
    const group = abortedWithAll(wants.map(({ flight }) => flight));
    try {
      const keys = wants.map(({ key }) => key);
      const loading = async () => loadMany(keys, contextOf(group));
      const pairs = await this.#limited(wants[0]!.flight, keys, loading(), reason => {
        for (const { flight } of wants) flight.abort(reason);
      });
      const values = byId(pairs, this.#idOf);
      await Promise.all(
        wants.map(want => this.#deliver(want, values.get(want.id), startedAt, rightTo(want))),
      );
    } catch (error) {
      for (const want of wants) {
        this.#shelf.tellLoad(want, clock.now() - startedAt, { error });
        this.#shelf.fail(want, error);
      }
      await Promise.all(wants.map(want => this.#giveBack(want, rightTo(want))));
    } finally {
      over();
    }
  }

  /** Answers at once, then stores where it has the right to. */
  async #deliver(want: Want<K, V>, value: V | undefined, startedAt: number, right: Right): Promise<void> {
    const { id, key, flight, terms } = want;
    const now = this.#settings.clock.now();
    const costMs = now - startedAt;
    const freshMs = this.#freshness.freshMs(key, value, terms);
    const tags = this.#freshness.tags(key, value, terms);
    const keepMs = freshMs + (value === undefined ? 0 : this.#freshness.keepStaleMs);
    const isKept = keepMs > 0 && !flight.isAborted;
    const freshUntil = now + Math.min(freshMs, this.#settings.localTtlMs);
    const slot = {
      key,
      value,
      at: startedAt,
      freshUntil,
      costMs,
      stamp: flight.stamp,
      tags,
      retryAt: 0,
      isFollowed: true,
    };
    if (isKept && right === 'local') this.#shelf.keep(want, slot);
    this.#shelf.tellLoad(want, costMs);
    if (typeof right === 'string' || !isKept) {
      this.#shelf.answer(want, value);
      return this.#giveBack(want, right);
    }
    // who comes before it is stored gets it too
    flight.resolve(value);
    const entry = { value, freshMs, keepMs, costMs, tags };
    if (await this.#link!.fill(id as string, right.lease, entry)) this.#shelf.keep(want, slot);
  }

  async #giveBack({ id }: Want<K, V>, right: Right): Promise<void> {
    if (typeof right === 'object') await this.#link!.release(id as string, right.lease);
  }

  #limited<T>(flight: Flight<V>, key: unknown, work: Promise<T>, abort: (reason: Error) => void): Promise<T> {
    const { timeoutMs, name } = this.#settings;
    const late = () => new LoadTimeoutError(name, key, timeoutMs!);
    return within(this.#clockFor(flight), timeoutMs, work, late, abort);
  }

  #clockFor({ background }: Flight<V>): Clock {
    const { clock, callerClock } = this.#settings;
    return background ? clock : callerClock;
  }

  /** Until what it returns is called, waits for the soft timeout, to serve what is kept. */
  #answerWhenSlow(wants: readonly Want<K, V>[]): () => void {
    const { softTimeoutMs } = this.#settings;
    if (softTimeoutMs === undefined || wants.every(({ fallback }) => fallback === undefined)) return () => {};
    const over = new AbortController();
    const clock = this.#clockFor(wants[0]!.flight);
    clock.sleep(softTimeoutMs, over.signal).then(
      () => {
        for (const want of wants) if (!want.flight.answered) this.#shelf.answerStale(want, 'slow');
      },
      () => {},
    );
    return () => over.abort();
  }
}

/** What the load is given, and no more than that. */
function contextOf(holder: { readonly signal: AbortSignal }): LoadContext {
  return {
    get signal() {
      return holder.signal;
    },
  };
}

/** A signal that aborts when all of the flights have. */
function abortedWithAll<V>(flights: readonly Flight<V>[]): { readonly signal: AbortSignal } {
  const controller = new AbortController();
  let left = flights.length;
  for (const flight of flights) {
    flight.onAbort = reason => {
      if (--left === 0) controller.abort(reason);
    };
  }
  return controller;
}
