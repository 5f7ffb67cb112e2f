import { refused, withDeadline } from '@ashlar/core';
import type { Executor } from '@ashlar/replica-failover/executor';
import { NotReadyError, RouterClosedError } from './errors/routing.ts';
import { slotOfId } from './ids/id.ts';
import { IndexAudit } from './indexes/index-audit.ts';
import type { KeyOf, KeyType } from './keys/key-column.ts';
import { Load, type LoadSnapshot } from './load/load.ts';
import { type Explanation, explanationOf } from './map/explanation.ts';
import { firstMap } from './map/first-map.ts';
import { MapCopy } from './map/map-copy.ts';
import { Maps } from './map/maps.ts';
import type { Route, Routes } from './map/routes.ts';
import type { ShardMap } from './map/shard-map.ts';
import { readSettings, type Settings, type ShardRouterOptions } from './options.ts';
import { ShardedTable } from './queries/sharded-table.ts';
import type { Shards } from './queries/shards.ts';
import type { ShardedTransaction } from './queries/transacting/sharded-transaction.ts';
import { type ShardedScope, Transactions } from './queries/transacting/transactions.ts';
import { DeclaredReferences } from './references/declared-references.ts';
import type { References } from './references/reference.ts';
import { ReferenceTable } from './references/reference-table.ts';
import { Guarded } from './running/guarded.ts';
import { HeldWrites } from './running/held-writes.ts';
import { checked } from './running/scopes.ts';
import { Sweeper, type SweepPart } from './sweeping.ts';
import { DeclaredTables } from './tables/declared-tables.ts';
import type { Tables } from './tables/table.ts';
import { Recovery, type RecoveryReport } from './two-phase/recovery.ts';
import { TwoPhase } from './two-phase/two-phase.ts';

export interface RouterSnapshot {
  readonly name: string;
  /** The map as it is here; undefined before `ready`. */
  readonly map: ShardMap | undefined;
  /** Whether the copy is good, or the store has not answered for longer than `leaseMs`. */
  readonly isValid: boolean;
  /** What is wrong with the map in the store, while something is: the router goes by the one before. */
  readonly fault: string | undefined;
  /** Writes that wait for their rows to arrive on another shard. */
  readonly heldWrites: number;
  /** What the last sweep of this router could not do, in words; the next one tries it again. Empty while another router sweeps. */
  readonly sweepFaults: readonly string[];
  /** Calls of this router a second: by shard, and the heaviest slots and keys. */
  readonly load: LoadSnapshot;
}

/**
 * Sends work to the shard that has the key. The map of slots is one record in the store; every process keeps a copy, under a
 * lease, and follows its changes. Keeps the process alive as its store does, until `close`.
 */
export class ShardRouter<
  C,
  const T extends Tables = Tables,
  const F extends References = References,
  const K extends KeyType = KeyType,
> implements AsyncDisposable
{
  readonly name: string;
  readonly #settings: Settings;
  readonly #tables: DeclaredTables;
  readonly #copy: MapCopy;
  readonly #load: Load;
  readonly #held: HeldWrites;
  readonly #guarded: Guarded<C>;
  readonly #twoPhase: TwoPhase<C>;
  readonly #transactions: Transactions<C, T>;
  readonly #recovery: Recovery;
  readonly #references: DeclaredReferences<C>;
  readonly #sweeper: Sweeper | undefined;
  readonly #end = new AbortController();

  /** @throws InvalidOptionError */
  constructor(options: ShardRouterOptions<C, T, F, K>) {
    const settings = readSettings(options);
    const { name, store, key, slots, layout, clock, leaseMs, holdMs, maxHeld } = settings;
    this.#settings = settings;
    this.name = name;
    const maps = new Maps(store, name);
    const { shards } = options;
    if (layout.kind === 'tables' && key !== 'text')
      throw refused('key', "'text', where whole tables are in slots: their names", key);
    this.#tables = new DeclaredTables(settings.tables, layout.kind === 'tables' ? [] : key);
    const names = Object.keys(shards);
    const first = firstMap(key, slots, names, layout);
    const { windowMs, hotShare } = settings;
    this.#load = new Load({ router: name, clock, windowMs, hotShare, routes: () => this.#copy.routes });
    const load = () => this.#load.perSlot();
    this.#copy = new MapCopy({ name, maps, first, shards: names, clock, leaseMs, load });
    const copy = this.#copy;
    this.#held = new HeldWrites({ router: name, copy, clock, max: maxHeld, maxMs: holdMs });
    const guards = { router: name, shards, copy, held: this.#held, clock, holdMs, statements };
    this.#guarded = new Guarded({ ...guards, load: this.#load });
    const guarded = this.#guarded;
    this.#twoPhase = new TwoPhase({ router: name, guarded, clock });
    this.#transactions = new Transactions({
      guarded,
      tables: this.#tables,
      twoPhase: this.#twoPhase,
      isTwoPhase: settings.twoPhase,
      routes: () => this.#now(),
      shards: () => this.#queried,
      clock,
    });
    this.#recovery = new Recovery(name, shards as Readonly<Record<string, Executor<unknown>>>);
    this.#references = new DeclaredReferences(settings.references, settings.tables, {
      router: name,
      store,
      guarded,
      shards: names,
    });
    // Nothing has begun before all options are found right
    this.#copy.begin();
    const sweeps = settings.twoPhase || this.#references.size > 0 || this.#tables.indexed.length > 0;
    if (sweeps) this.#sweeper = this.#newSweeper();
  }

  /**
   * Resolves when the map is here. Makes the first one, if there is none: equal parts, in the order of the names of the shards.
   *
   * @throws NotReadyError when the store does not answer in time
   * @throws ShardMapError when the map names shards that this router does not have, or has another type of key
   */
  ready(): Promise<void> {
    const late = () => new NotReadyError(this.name, { cause: this.#copy.failure });
    const { signal } = this.#end;
    const { timeoutMs } = this.#settings;
    return withDeadline({ timeoutMs, signal, late }, async ending => {
      while (this.#copy.routes === undefined) {
        if (this.#copy.fault !== undefined) throw this.#copy.fault;
        await this.#copy.changed(ending);
      }
    });
  }

  /**
   * Where the key is.
   *
   * @throws InvalidShardKeyError when it is not of the map's type
   * @throws NotReadyError before `ready`
   */
  route(key: KeyOf<K>): Route {
    return this.#now().of(key);
  }

  /**
   * The shard that has the key at the time of each call. While rows move, a read is answered only when its shard certainly had
   * the slot all the time, and is run again elsewhere if not; what a fence refused waits, and is run again where the rows are.
   * So work may be called more than once.
   *
   * Rejects as the shard does; a read of a router whose lease has ended, with the store's error when that does not answer.
   *
   * @throws InvalidShardKeyError, NotReadyError
   */
  on(key: KeyOf<K>): Executor<C> {
    this.route(key);
    return checked(this.#guarded.on([key], () => [this.route(key)]));
  }

  /** A table of the options, for statements that run on any kind of shard. @throws InvalidValueError when there is none of that name */
  table<N extends keyof T & string>(name: N): ShardedTable<C, T[N]> {
    return new ShardedTable(this.#tables.get(name), this.#queried, this.#tables.indexesOf(name));
  }

  /** A reference table of the options, whose rows are on all shards. @throws InvalidValueError when there is none of that name */
  reference<N extends keyof F & string>(name: N): ReferenceTable<C, F[N]> {
    const replicas = this.#references.get(name);
    return new ReferenceTable(replicas.table, replicas, this.#references.shardsOf(replicas, this.#queried));
  }

  /**
   * Runs the work in a transaction on the one shard that has the key, or all the keys. The work gets the tables, and the client. It may
   * run again, as that of an executor; where it writes values of indexes, it does, once they are claimed.
   *
   * With `twoPhase` the keys may be on several shards. All of it is committed or nothing, also when this process dies. It is not isolated:
   * others may see one shard's part a moment before the other's.
   *
   * @throws CrossShardError when the keys are on several shards, without `twoPhase`
   * @throws TwoPhaseUnavailableError, InDoubtError, UnsettledError of several
   * @throws DuplicateRowError, IndexBusyError when a value of an index is another row's, or others are about it
   */
  async transaction<R>(
    keys: KeyOf<K> | readonly KeyOf<K>[],
    work: (transaction: ShardedTransaction<C, T>) => Promise<R>,
    scope: ShardedScope = {},
  ): Promise<R> {
    return this.#transactions.run(this.#now().slots.list(keys), work, scope);
  }

  /**
   * What became of a transaction over several shards, by the id in its error, in any process. One that was not committed by now never will
   * be. `unknown`: it is a day old, and forgotten.
   *
   * @throws InvalidValueError when it is no id; the error of the shard that keeps the verdict
   */
  outcomeOf(transaction: string): Promise<'committed' | 'aborted' | 'unknown'> {
    return this.#twoPhase.outcomeOf(transaction);
  }

  /**
   * Settles transactions over several shards that are in doubt, since their processes have died or have lost their shards. A router with
   * `twoPhase` does it from time to time.
   *
   * @param olderThanMs one that is younger may still be run by its process, which then has to begin anew. Default: `inDoubtMs`
   */
  recover(olderThanMs: number = this.#settings.inDoubtMs): Promise<RecoveryReport> {
    return this.#recovery.run(olderThanMs);
  }

  /**
   * Where what an id of `ShardIds` names is: the slot is in it.
   *
   * @throws InvalidShardKeyError when it is no id, or its slot was cut since and its parts are on several shards
   * @throws NotReadyError before `ready`
   */
  routeId(id: bigint): Route {
    return this.#now().ofId(slotOfId(id));
  }

  /** Where the key is, and why. @throws InvalidShardKeyError, NotReadyError */
  explain(key: KeyOf<K>): Explanation {
    return explanationOf(this.#now(), key);
  }

  snapshot(): RouterSnapshot {
    const { routes, isValid, fault } = this.#copy;
    return {
      name: this.name,
      map: routes?.map,
      isValid,
      fault: fault?.message,
      heldWrites: this.#held.count,
      sweepFaults: (this.#sweeper?.failed ?? []).map(({ shard, error }) => `${shard || 'store'}: ${error}`),
      load: this.#load.snapshot(),
    };
  }

  /** Follows the map no more. The shards and the store are the caller's to close. */
  async close(): Promise<void> {
    const reason = new RouterClosedError(this.name);
    this.#end.abort(reason);
    await this.#sweeper?.close();
    await this.#copy.close(reason);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #newSweeper(): Sweeper {
    const { store, clock, sweepMs: everyMs, inDoubtMs, twoPhase } = this.#settings;
    const claim = `shards:${encodeURIComponent(this.name)}:sweep`;
    const parts: SweepPart[] = [
      ...(twoPhase ? [() => this.recover()] : []),
      async () => ({ failed: await this.#references.sweep() }),
      ...this.#tables.indexed.map(indexes => async (signal: AbortSignal) => ({
        failed: await new IndexAudit(this.#queried, indexes).settle(inDoubtMs, signal),
      })),
    ];
    return new Sweeper({ router: this.name, store, claim, everyMs, clock, parts });
  }

  get #queried(): Shards<C> {
    return {
      source: this.#guarded,
      inDoubtMs: this.#settings.inDoubtMs,
      routes: () => this.#now(),
      on: keys => this.#guarded.on(keys, () => this.#now().ofAll(keys)),
      isCurrent: routes => this.#guarded.isCurrent(routes),
      references: this.#references,
      shard: name => this.#guarded.shard(name),
      isTransaction: false,
      together: (keys, work, scope) => this.#transactions.together(keys, work, scope),
      clock: this.#settings.clock,
    };
  }

  #now(): Routes {
    this.#end.signal.throwIfAborted();
    const { routes } = this.#copy;
    if (routes === undefined) throw new NotReadyError(this.name);
    return routes;
  }
}

/** The methods of clients that send one statement each: of `pg` and PGlite, of shards in memory, and of those of Redis. */
const statements: ReadonlySet<string> = new Set(['query', 'execute', 'call', 'callBuffer', 'multi', 'eval']);
