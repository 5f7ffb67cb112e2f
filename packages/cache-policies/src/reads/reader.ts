import type { Clock } from '@ashlar/core';
import { LoadCycleError } from '../errors.ts';
import type { Events } from '../events.ts';
import type { GetManyOptions, GetOptions, Load } from '../options.ts';
import type { CacheState } from '../state.ts';
import type { Entry } from '../tiers/entry.ts';
import type { LocalTier } from '../tiers/local-tier.ts';
import type { RemoteLink } from '../tiers/remote-link.ts';
import { keepingAlive, untilAbort, withEither } from '../waits.ts';
import type { Writer } from '../writes/write-strategy.ts';
import { Fetcher } from './fetcher.ts';
import { Flight } from './flight.ts';
import { LoadScope } from './load-scope.ts';
import type { Source } from './source-loader.ts';

/** Flights that are fetched together: those with callers, and refreshes. */
interface Batch<K, V> {
  readonly awaited: Flight<K, V>[];
  readonly refreshes: Flight<K, V>[];
}

/** One key of one call. Created only where the local tier has no fresh value. */
interface Request<K, V> {
  readonly id: unknown;
  readonly key: K;
  readonly load: Load<K, V> | undefined;
  readonly options: GetOptions;
  readonly batch: Batch<K, V> | undefined;
}

const noOptions: GetOptions = {};

/** Answers reads from the local tier, and fetches the rest once. */
export class Reader<K, V> {
  readonly #state: CacheState<K, V>;
  readonly #writer: Writer<K, V> | undefined;
  readonly #fetcher: Fetcher<K, V>;
  readonly #source: Source<K, V> | undefined;
  // of the state, for the hot path of hits
  readonly #idOf: (key: K) => unknown;
  readonly #local: LocalTier<K, V>;
  readonly #remote: RemoteLink<V> | undefined;
  readonly #clock: Clock;
  readonly #events: Events<K>;
  readonly #refreshesAhead: boolean;

  constructor(state: CacheState<K, V>, writer: Writer<K, V> | undefined) {
    this.#state = state;
    this.#writer = writer;
    this.#fetcher = new Fetcher(state);
    const { load, loadMany, refreshAhead } = state.settings;
    this.#source = load === undefined && loadMany === undefined ? undefined : { load, loadMany };
    this.#idOf = state.idOf;
    this.#local = state.local;
    this.#remote = state.remote;
    this.#clock = state.clock;
    this.#events = state.events;
    this.#refreshesAhead = refreshAhead.beta > 0 || refreshAhead.lastMs > 0;
  }

  get(key: K, load: Load<K, V> | undefined, options: GetOptions = noOptions): Promise<V | undefined> {
    const answer = this.#answer(this.#idOf(key), key, load, options, undefined);
    return answer instanceof Promise ? answer : Promise.resolve(answer);
  }

  async getMany(keys: readonly K[], { signal }: GetManyOptions = noOptions): Promise<Map<K, V>> {
    const starting = this.#writer?.starting;
    if (starting !== undefined) await this.#waitFor(starting, signal);
    const ids = keys.map(key => this.#idOf(key));
    const batch: Batch<K, V> = { awaited: [], refreshes: [] };
    const options = signal === undefined ? noOptions : { signal };
    const answers = keys.map((key, i) => this.#answer(ids[i], key, undefined, options, batch));
    if (batch.awaited.length > 0) void this.#fetcher.fetch(batch.awaited, this.#source);
    if (batch.refreshes.length > 0) void this.#fetcher.fetch(batch.refreshes, this.#source);
    const values = await Promise.all(answers);
    const found = new Map<K, V>();
    for (const [i, value] of values.entries()) if (value !== undefined) found.set(keys[i]!, value);
    return found;
  }

  /** What `get` would answer without waiting. */
  peek(key: K): V | undefined {
    const id = this.#idOf(key);
    const entry = this.#local.peek(id);
    const now = this.#clock.now();
    const isServed = entry !== undefined && this.#mayServe(entry, now);
    if (isServed && now < entry.freshUntil) return entry.value;
    const pending = this.#writer?.pending?.(id);
    if (pending !== undefined) return pending.value;
    return isServed && this.#state.freshness.isServed(entry, now) ? entry.value : undefined;
  }

  /** Hits allocate nothing, and read the clock only where it matters. */
  #answer(
    id: unknown,
    key: K,
    load: Load<K, V> | undefined,
    options: GetOptions,
    batch: Batch<K, V> | undefined,
  ): V | undefined | Promise<V | undefined> {
    const entry = this.#local.get(id);
    if (entry !== undefined) {
      if (entry.freshUntil === Number.POSITIVE_INFINITY && this.#remote === undefined) {
        this.#events.hit(id, key, 'local', entry.isFollowed);
        return entry.value;
      }
      const now = this.#clock.now();
      if (now < entry.freshUntil && this.#mayServe(entry, now)) {
        if (this.#refreshesAhead && this.#state.freshness.isDue(entry, now)) {
          this.#refresh({ id, key, load, options, batch }, entry);
        }
        this.#events.hit(id, key, 'local', entry.isFollowed);
        return entry.value;
      }
    }
    const request = { id, key, load, options, batch };
    return this.#writer === undefined
      ? this.#miss(request, entry)
      : this.#afterWrites(this.#writer, request, entry);
  }

  /** A pending write takes precedence over the source, which does not have it yet. */
  #afterWrites(
    writer: Writer<K, V>,
    request: Request<K, V>,
    entry: Entry<K, V> | undefined,
  ): V | undefined | Promise<V | undefined> {
    const { id, key, load, options } = request;
    const again = (first: Promise<void>) =>
      this.#waitFor(first, options.signal).then(() => this.get(key, load, options));
    const { starting } = writer;
    if (starting !== undefined) return again(starting);
    const pending = writer.pending?.(id);
    if (pending === undefined) return this.#miss(request, entry);
    // a load of its own must not find a key that is about to be deleted
    if (pending.value === undefined && load !== undefined) return again(writer.flush!());
    this.#events.hit(id, key, 'pending', true);
    return pending.value;
  }

  /** For the writer, until the caller aborts or the cache is closed. */
  async #waitFor(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    const closing = this.#state.closing.signal;
    await keepingAlive(withEither(signal, closing, either => untilAbort(work, either)));
    closing.throwIfAborted();
  }

  /** The local tier has nothing fresh: a stale value while it is refreshed, else a flight. */
  #miss(request: Request<K, V>, entry: Entry<K, V> | undefined): V | undefined | Promise<V | undefined> {
    const { id, key } = request;
    const { freshness } = this.#state;
    const now = this.#clock.now();
    const stale = entry !== undefined && this.#mayServe(entry, now) ? entry : undefined;
    if (stale !== undefined && freshness.isServed(stale, now)) {
      if (now >= stale.retryAt) this.#refresh(request, stale);
      const reason = freshness.isUsable(stale, now) ? 'refresh' : 'error';
      this.#events.staleHit(id, key, stale.isFollowed, reason);
      return stale.value;
    }
    this.#events.miss(id, key);
    return this.#wait(request, stale, this.#local.stamp, now);
  }

  /** Waits for the flight of the key, or starts one. `since` is the number of tag invalidations when the call began. */
  #wait(
    request: Request<K, V>,
    stale: Entry<K, V> | undefined,
    since: number,
    now: number,
  ): Promise<V | undefined> | undefined {
    const { id, options } = request;
    const { flights } = this.#state;
    let flight = flights.find(id);
    if (flight !== undefined && this.#remote?.mayJoin(flight.startedAt, now) === false) flight = undefined;
    const scope = LoadScope.current();
    if (flight !== undefined) {
      if (scope?.isAwaitedBy(flight)) return this.#refuse(request);
      flight.reopenAt(now);
      scope?.waits(flight);
    }
    flight ??= this.#start(request, stale, false);
    if (flight === undefined) return undefined;
    const joined = flight;
    const answer = flight.wait(options.signal, () => flights.detach(joined));
    if (scope !== undefined) {
      const over = () => scope.waitsNoMore(joined);
      answer.then(over, over);
    }
    return joined.stamp >= since ? answer : this.#orAgain(answer, joined, request, since);
  }

  /** As a promise, so that the other keys of a `getMany` are fetched. */
  #refuse({ key }: Request<K, V>): Promise<never> {
    return Promise.reject(new LoadCycleError(this.#state.settings.name, key));
  }

  /**
   * Tags were invalidated between the start of the flight and that of the call. So its value is the answer only if it has
   * none of them. Else the key is loaded again; that nothing was found is no answer either, as nothing has no tags.
   */
  async #orAgain(
    answer: Promise<V | undefined>,
    flight: Flight<K, V>,
    { batch: _, ...request }: Request<K, V>,
    since: number,
  ): Promise<V | undefined> {
    const value = await answer;
    if (value !== undefined && this.#local.isUntouched(flight.tags, flight.stamp)) return value;
    request.options.signal?.throwIfAborted();
    this.#state.flights.detach(flight);
    const now = this.#clock.now();
    // written meanwhile: the source may not have it, and what it has must not take its place
    const written = this.#local.peek(request.id);
    const isNew = written !== undefined && (written.value !== undefined || written.stamp >= since);
    if (isNew && now < written.freshUntil && this.#mayServe(written, now)) return written.value;
    if (this.#writer?.pending?.(request.id) !== undefined) {
      return this.#afterWrites(this.#writer, { ...request, batch: undefined }, undefined);
    }
    return this.#wait({ ...request, batch: undefined }, undefined, since, now);
  }

  #refresh(request: Request<K, V>, entry: Entry<K, V>): void {
    const { id } = request;
    if (this.#state.flights.find(id) !== undefined || this.#writer?.pending?.(id) !== undefined) return;
    if (this.#start(request, entry, true) !== undefined) this.#events.counters.refreshes++;
  }

  /** A flight, started at once or later with its batch; undefined when there is neither a shared tier nor a source. */
  #start(
    { id, key, load, options: terms, batch }: Request<K, V>,
    fallback: Entry<K, V> | undefined,
    background: boolean,
  ): Flight<K, V> | undefined {
    this.#state.closing.signal.throwIfAborted();
    const source = load === undefined ? this.#source : { load };
    if (source === undefined && this.#remote === undefined) return undefined;
    const { stamp } = this.#local;
    const startedAt = this.#clock.now();
    const flight = new Flight<K, V>({ id, key, terms, fallback, stamp, startedAt, background });
    this.#state.flights.add(flight);
    if (!background) LoadScope.current()?.waits(flight); // before its load, which may wait for that scope
    if (batch === undefined) void this.#fetcher.fetch([flight], source);
    else (background ? batch.refreshes : batch.awaited).push(flight);
    return flight;
  }

  #mayServe(entry: Entry<K, V>, now: number): boolean {
    return this.#remote === undefined || this.#remote.mayServe(entry.at, now);
  }
}
