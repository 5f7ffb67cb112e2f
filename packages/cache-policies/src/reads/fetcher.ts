import { LoadCycleError } from '../errors.ts';
import type { CacheState } from '../state.ts';
import type { RemoteLink, SharedRead } from '../tiers/remote-link.ts';
import type { ReadOptions } from '../tiers/remote-tier.ts';
import { fail, postponeRefresh, serveStale } from './fallback.ts';
import type { Flight } from './flight.ts';
import { LoadScope } from './load-scope.ts';
import { type Right, type Source, SourceLoader } from './source-loader.ts';

const firstPollMs = 5;
const longestPollMs = 100;

/** Resolves flights from the shared tier, or else from the source. */
export class Fetcher<K, V> {
  readonly #state: CacheState<K, V>;
  readonly #loader: SourceLoader<K, V>;

  constructor(state: CacheState<K, V>) {
    this.#state = state;
    this.#loader = new SourceLoader(state);
  }

  /** Settles every flight. Never rejects. */
  async fetch(flights: readonly Flight<K, V>[], source: Source<K, V> | undefined): Promise<void> {
    const { remote, flights: underWay } = this.#state;
    try {
      if (remote !== undefined) await this.#fromRemote(remote, flights, source, 0);
      else if (source !== undefined) await this.#loader.load(flights, source, () => 'local');
    } catch (error) {
      for (const flight of flights) fail(this.#state, flight, error);
    } finally {
      for (const flight of flights) {
        underWay.remove(flight);
        if (!flight.answered) flight.resolve(undefined);
      }
    }
  }

  async #fromRemote(
    remote: RemoteLink<V>,
    flights: readonly Flight<K, V>[],
    source: Source<K, V> | undefined,
    waitedMs: number,
  ): Promise<void> {
    const { clock, settings } = this.#state;
    const askedAt = clock.now();
    const minFreshMs = minFreshMsFor(flights[0]!, askedAt);
    const options = { ...(source && { leaseMs: settings.leaseMs }), minFreshMs };
    const reads = await this.#read(remote, flights, options);
    const rights = new Map<Flight<K, V>, Right>();
    const busy = new Map<Flight<K, V>, number>();
    for (const flight of flights) {
      const read = reads.get(flight);
      if (read === undefined) rights.set(flight, remote.keepsUnprotected ? 'local' : 'none');
      else if (this.#take(flight, read, askedAt) || source === undefined) continue;
      else if (read.lease !== undefined) rights.set(flight, { lease: read.lease });
      else if (LoadScope.current()?.holdsLease(settings.remote, flight.id)) {
        fail(this.#state, flight, new LoadCycleError(settings.name, flight.key));
      } else busy.set(flight, read.busyMs ?? 0);
    }
    if (source === undefined) return;
    await Promise.all([
      rights.size > 0 && this.#loader.load([...rights.keys()], source, flight => rights.get(flight)!),
      busy.size > 0 && this.#awaitLeases(remote, busy, source, waitedMs),
    ]);
  }

  async #read(
    remote: RemoteLink<V>,
    flights: readonly Flight<K, V>[],
    options: ReadOptions,
  ): Promise<ReadonlyMap<Flight<K, V>, SharedRead<V>>> {
    const asked = flights.filter(({ id }) => remote.isUsable(id as string));
    const ids = asked.map(({ id }) => id as string);
    const found = new Map<Flight<K, V>, SharedRead<V>>();
    for (const [i, read] of (await remote.read(ids, options)).entries()) {
      if (read !== undefined) found.set(asked[i]!, read);
    }
    return found;
  }

  /** As `#takeEntry`. What a callback throws ends this flight alone, and gives its lease back. */
  #take(flight: Flight<K, V>, read: SharedRead<V>, askedAt: number): boolean {
    try {
      return this.#takeEntry(flight, read, askedAt);
    } catch (error) {
      fail(this.#state, flight, error);
      const { lease } = read;
      if (lease !== undefined) void this.#state.remote!.release(flight.id as string, lease);
      return true;
    }
  }

  /** Whether the entry ends the flight. A stale entry that may be served resolves it, and the flight goes on. */
  #takeEntry(flight: Flight<K, V>, { entry, lease, busyMs }: SharedRead<V>, askedAt: number): boolean {
    if (entry === undefined) return false;
    const { freshness, events, flights } = this.#state;
    const { key, stamp, fallback } = flight;
    const found = freshness.entryOf(key, entry, { at: askedAt, stamp }, askedAt);
    if (entry.freshMs > 0) {
      this.#state.keep(flight, found);
      if (lease === undefined && busyMs === undefined) {
        if (flight.isAwaited) events.remoteHit(key);
        flight.tags = entry.tags;
        flights.answer(flight, entry.value);
        return true;
      }
    }
    if (fallback === undefined || fallback.freshUntil < found.freshUntil) flight.fallback = found;
    if (!flight.background && serveStale(this.#state, flight, 'refresh')) this.#state.tryKeep(flight, found);
    return false;
  }

  /** Other processes load or write these keys, each for as many milliseconds more. They are polled together. */
  async #awaitLeases(
    remote: RemoteLink<V>,
    busy: ReadonlyMap<Flight<K, V>, number>,
    source: Source<K, V>,
    waitedMs: number,
  ): Promise<void> {
    const { leaseWaitMs } = this.#state.settings;
    const waiting: Flight<K, V>[] = [];
    for (const [flight, busyMs] of busy) {
      if (flight.answered || (flight.background && !flight.isAwaited)) {
        postponeRefresh(this.#state, flight, Math.min(busyMs, longestPollMs));
      } else if (!flight.isAborted) waiting.push(flight);
    }
    if (waiting.length === 0) return;
    if (waitedMs >= leaseWaitMs) return this.#loader.load(waiting, source, () => 'none');
    const pollMs = Math.min(Math.max(waitedMs, firstPollMs), longestPollMs, leaseWaitMs - waitedMs);
    await this.#pause(waiting, pollMs);
    const left = waiting.filter(({ isAborted }) => !isAborted);
    if (left.length > 0) await this.#fromRemote(remote, left, source, waitedMs + pollMs);
  }

  /** Ends sooner when every flight has aborted. */
  async #pause(flights: readonly Flight<K, V>[], ms: number): Promise<void> {
    const over = new AbortController();
    let left = flights.length;
    for (const flight of flights) {
      const onAbort = (reason: unknown) => {
        if (--left === 0) over.abort(reason);
      };
      flight.onAbort = onAbort;
    }
    await this.#state.callerClock.sleep(ms, over.signal).catch(() => {});
  }
}

/** The freshness in milliseconds below which the flight requests a lease. */
function minFreshMsFor<K, V>({ background, fallback }: Flight<K, V>, now: number): number {
  if (!background || fallback === undefined) return 0;
  const leftMs = fallback.freshUntil - now;
  // an entry that another process has refreshed since is fresher than halfway between this one's rest and a full life
  return leftMs <= 0 ? 0 : (leftMs + fallback.freshUntil - fallback.at) / 2;
}
