import { type Clock, withDeadline } from '@ashlar/core';
import { LoadTimeoutError } from '../errors.ts';
import type { Load, LoadContext, LoadMany } from '../options.ts';
import type { CacheState } from '../state.ts';
import { fail, serveStale } from './fallback.ts';
import type { Flight } from './flight.ts';
import { LoadScope } from './load-scope.ts';

/** Where a key is loaded from when no tier has it. At least one of both. */
export interface Source<K, V> {
  readonly load?: Load<K, V> | undefined;
  readonly loadMany?: LoadMany<K, V> | undefined;
}

/** Where a loaded value may be kept: under a lease of the shared tier, in this process alone, or nowhere. */
export type Right = { readonly lease: string } | 'local' | 'none';

type RightOf<K, V> = (flight: Flight<K, V>) => Right;
type ValueOf<K, V> = (flight: Flight<K, V>) => V | undefined;

/** One call of the source. */
interface Loading<K, V> {
  readonly flights: readonly Flight<K, V>[];
  /** The key or keys, for errors. */
  readonly key: unknown;
  readonly work: () => Promise<ValueOf<K, V>>;
  readonly rightOf: RightOf<K, V>;
  /** Called when all flights have aborted. */
  readonly aborted?: (reason: unknown) => void;
}

/** Loads keys from their source, each for one flight, within the timeouts. */
export class SourceLoader<K, V> {
  readonly #state: CacheState<K, V>;

  constructor(state: CacheState<K, V>) {
    this.#state = state;
  }

  /** Settles the flights. Rejects only for a fault of this package. */
  async load(flights: readonly Flight<K, V>[], source: Source<K, V>, rightOf: RightOf<K, V>): Promise<void> {
    const { load, loadMany } = source;
    if (flights.length > 1 && loadMany !== undefined) return this.#loadMany(flights, loadMany, rightOf);
    const loadOne = load ?? this.#oneOf(loadMany!);
    await Promise.all(flights.map(flight => this.#loadOne(flight, loadOne, rightOf)));
  }

  #loadOne(flight: Flight<K, V>, load: Load<K, V>, rightOf: RightOf<K, V>): Promise<void> {
    const { key } = flight;
    const work = async () => {
      const value = await load(key, contextOf(flight));
      return () => value;
    };
    return this.#run({ flights: [flight], key, work, rightOf });
  }

  #loadMany(
    flights: readonly Flight<K, V>[],
    loadMany: LoadMany<K, V>,
    rightOf: RightOf<K, V>,
  ): Promise<void> {
    const keys = flights.map(({ key }) => key);
    const group = new AbortController();
    const work = async () => {
      const values = this.#byId(await loadMany(keys, contextOf(group)));
      return (flight: Flight<K, V>) => values.get(flight.id);
    };
    return this.#run({ flights, key: keys, work, rightOf, aborted: reason => group.abort(reason) });
  }

  /** Concludes each flight once: when the work has ended, or at the flight's abort, whether the work heeds that or not. */
  async #run({ flights, key, work, rightOf, aborted }: Loading<K, V>): Promise<void> {
    const startedAt = this.#state.clock.now();
    const open = new Set<Flight<K, V>>();
    const concluded: Promise<void>[] = [];
    for (const flight of flights) {
      if (flight.isAborted) concluded.push(this.#releaseLease(flight, rightOf(flight)));
      else open.add(flight);
    }
    const failed = (flight: Flight<K, V>, error: unknown) =>
      this.#failed(flight, error, startedAt, rightOf(flight));
    const all = (conclude: (flight: Flight<K, V>) => Promise<void>) => {
      for (const flight of open) concluded.push(conclude(flight));
      open.clear();
    };
    const cancel = this.#serveStaleWhenSlow(flights);
    const ended = this.#state.settings.timeoutMs === undefined ? undefined : new AbortController();
    const { remote } = this.#state.settings;
    const scope = new LoadScope(flights, flight =>
      typeof rightOf(flight as Flight<K, V>) === 'object' ? remote : undefined,
    );
    try {
      const loaded = await new Promise<ValueOf<K, V>>((resolve, reject) => {
        for (const flight of open) {
          // Not written right behind `onAbort =`: V8 would allocate it in the old generation, where it keeps the load alive
          const onAbort = (reason: unknown) => {
            if (!open.delete(flight)) return;
            concluded.push(failed(flight, reason));
            if (open.size > 0) return;
            aborted?.(reason);
            reject(reason);
          };
          flight.onAbort = onAbort;
        }
        if (open.size === 0) reject();
        else this.#limited(flights, key, () => scope.run(work), ended).then(resolve, reject);
      });
      const deliver = (flight: Flight<K, V>) =>
        this.#deliver(flight, loaded(flight), startedAt, rightOf(flight));
      all(flight => deliver(flight).catch(error => failed(flight, error)));
    } catch (error) {
      all(flight => failed(flight, error));
    } finally {
      cancel();
      ended?.abort();
      scope.end();
    }
    await Promise.all(concluded);
  }

  /** Resolves the flight at once, then stores the value where it may. */
  async #deliver(flight: Flight<K, V>, value: V | undefined, startedAt: number, right: Right): Promise<void> {
    const { clock, freshness, flights, remote } = this.#state;
    const { id, key, terms, stamp } = flight;
    const now = clock.now();
    const costMs = now - startedAt;
    const loaded = freshness.sharedEntryOf(key, value, terms, costMs);
    flight.tags = loaded.tags;
    const isKept = loaded.keepMs > 0 && !flight.isAborted;
    const entry = freshness.entryOf(key, loaded, { at: startedAt, stamp }, now);
    if (isKept && right === 'local') this.#state.keep(flight, entry);
    this.#publishLoad(flight, costMs);
    if (typeof right === 'string' || !isKept) {
      flights.answer(flight, value);
      return this.#releaseLease(flight, right);
    }
    this.#state.local.check(id, entry);
    // a caller before it is stored gets it too
    flight.resolve(value);
    if (await remote!.fill(id as string, right.lease, loaded)) this.#state.tryKeep(flight, entry);
  }

  async #failed(flight: Flight<K, V>, error: unknown, startedAt: number, right: Right): Promise<void> {
    this.#publishLoad(flight, this.#state.clock.now() - startedAt, { error });
    // that nobody waits any more says nothing of the source
    const isAbandoned = flight.isAborted && !flight.isAwaited && !(error instanceof LoadTimeoutError);
    if (!isAbandoned) fail(this.#state, flight, error);
    await this.#releaseLease(flight, right);
  }

  #publishLoad(flight: Flight<K, V>, costMs: number, failure?: { readonly error: unknown }): void {
    const background = flight.background || flight.answered;
    this.#state.events.load(flight.key, costMs, background, failure);
  }

  async #releaseLease({ id }: Flight<K, V>, right: Right): Promise<void> {
    if (typeof right === 'object') await this.#state.remote!.release(id as string, right.lease);
  }

  /** Within `timeoutMs`, after which the flights are aborted. */
  #limited<T>(
    flights: readonly Flight<K, V>[],
    key: unknown,
    work: () => Promise<T>,
    ended: AbortController | undefined,
  ): Promise<T> {
    const { timeoutMs, name } = this.#state.settings;
    if (timeoutMs === undefined) return work();
    const late = () => {
      const error = new LoadTimeoutError(name, key, timeoutMs);
      for (const flight of flights) flight.abort(error);
      return error;
    };
    return withDeadline({ timeoutMs, signal: ended?.signal, clock: this.#clockFor(flights[0]!), late }, work);
  }

  #clockFor({ background }: Flight<K, V>): Clock {
    return background ? this.#state.clock : this.#state.callerClock;
  }

  /** Serves stale values after the soft timeout. Returns a function that cancels it. */
  #serveStaleWhenSlow(flights: readonly Flight<K, V>[]): () => void {
    const { softTimeoutMs } = this.#state.settings;
    if (softTimeoutMs === undefined || flights.every(({ fallback }) => fallback === undefined))
      return () => {};
    const canceled = new AbortController();
    this.#clockFor(flights[0]!)
      .sleep(softTimeoutMs, canceled.signal)
      .then(
        () => {
          for (const flight of flights) if (!flight.answered) serveStale(this.#state, flight, 'slow');
        },
        () => {},
      );
    return () => canceled.abort();
  }

  /** For a source with `loadMany` alone, which may return other keys. */
  #oneOf(loadMany: LoadMany<K, V>): Load<K, V> {
    return async (key, context) => this.#byId(await loadMany([key], context)).get(this.#state.idOf(key));
  }

  /** Of two pairs for one key, the later one. @throws TypeError for anything but pairs */
  #byId(pairs: Iterable<readonly [K, V]>): ReadonlyMap<unknown, V> {
    const values = new Map<unknown, V>();
    for (const pair of pairs) {
      if (!Array.isArray(pair))
        throw new TypeError('`loadMany` must return pairs, as [[key, value]] or a Map');
      const [key, value] = pair as readonly [K, V];
      values.set(this.#state.idOf(key), value);
    }
    return values;
  }
}

/** The context of a load, and no more than that. */
function contextOf(holder: { readonly signal: AbortSignal }): LoadContext {
  return {
    get signal() {
      return holder.signal;
    },
  };
}
