import { abortable, type CallOutcome, listOf, refused, required, text, withDeadline } from '@ashlar/core';
import type { Executor, Scope } from '@ashlar/replica-failover/executor';
import type { Row } from '../columns/column.ts';
import { WrongShardError } from '../errors/routing.ts';
import { InvalidQueryError, ShardTimeoutError } from '../errors/statements.ts';
import { OpenTransaction } from '../running/open-transaction.ts';
import { Turns } from '../running/turns.ts';
import { isQuery, type Result, type Statement } from '../tables/statement.ts';
import type { Table } from '../tables/table-of.ts';
import type { Ledger, Verdict } from '../two-phase/ledger.ts';
import { MemoryLedger, Verdicts } from '../two-phase/memory-ledger.ts';
import { Feed, type RowChange } from './feed.ts';
import { type Moved, MovedRows } from './moved-rows.ts';
import { Rows } from './rows.ts';
import { MemoryTransaction } from './transaction.ts';

/** What work on a memory shard gets: operations on tables. */
export interface MemoryClient {
  /** Runs a statement; outside of a transaction it commits by itself. */
  execute(statement: Statement): Promise<Result>;
  /** For transactions over several shards. */
  readonly ledger?: Ledger;
}

/** Milliseconds that a write or a transaction has which names no time: as long as with a replica set. */
const defaultMs = 10_000;

/**
 * A shard in this process. Tables begin empty and need not be made. Writes and transactions run one after another, each for 10 s at most
 * unless `timeoutMs` says otherwise; reads see what is committed and wait for nobody. What it holds ends with the process.
 */
export class MemoryShard implements Executor<MemoryClient> {
  readonly name: string;
  readonly #rows = new Rows();
  readonly #turns = new Turns();
  readonly #fences = new Map<string, MovedRows>();
  readonly #feeds = new Map<string, Feed>();
  readonly #verdicts = new Verdicts();
  #position = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** The last commit. */
  get position(): number {
    return this.#position;
  }

  write<T>(work: (client: MemoryClient) => Promise<T>, scope: Scope = {}): Promise<T> {
    let hasWritten = false;
    const call = (signal: AbortSignal | undefined) => {
      const execute = async (statement: Statement) => {
        if (isQuery(statement)) return this.#begin().execute(statement);
        OpenTransaction.refuseWithin(this, this.name, 'write');
        const over = await this.#turns.take(signal);
        try {
          signal?.throwIfAborted();
          const transaction = this.#begin();
          const result = transaction.execute(statement);
          this.#commit(transaction);
          hasWritten = true;
          return result;
        } finally {
          over();
        }
      };
      return work({ execute, ledger: new MemoryLedger(this.#verdicts) });
    };
    return this.#call('write', timed(scope), call, () => (hasWritten ? 'Unknown' : 'NotExecuted'));
  }

  read<T>(work: (client: MemoryClient) => Promise<T>, scope: Scope = {}): Promise<T> {
    const execute = async (statement: Statement) => {
      if (isQuery(statement)) return this.#begin().execute(statement);
      throw new InvalidQueryError(`a read cannot ${statement.kind}`);
    };
    return this.#call('read', scope, () => work({ execute, ledger: new MemoryLedger(this.#verdicts) }));
  }

  transaction<T>(work: (client: MemoryClient) => Promise<T>, scope: Scope = {}): Promise<T> {
    return this.#call('transaction', timed(scope), async signal => {
      OpenTransaction.refuseWithin(this, this.name, 'transaction');
      const over = await this.#turns.take(signal);
      const transaction = this.#begin();
      const ledger = new MemoryLedger(this.#verdicts);
      const open = new OpenTransaction(this);
      let waits = false;
      try {
        const execute = async (statement: Statement) => transaction.execute(statement);
        const result = await abortable(
          open.run(() => work({ execute, ledger })),
          signal,
        );
        signal?.throwIfAborted();
        // As a database: a statement that failed has undone everything, also when the work passed over it
        transaction.assertWhole();
        waits = ledger.gid !== undefined;
        if (waits) this.#keep(ledger.gid!, transaction, over);
        else {
          ledger.commit();
          this.#commit(transaction);
        }
        return result;
      } finally {
        transaction.end();
        open.end();
        if (!waits) over();
      }
    });
  }

  /**
   * Closes a fence: from when it resolves, writes of these rows are refused with WrongShardError, and no transaction that wrote one is
   * open. Reads pass, and so does `apply`. A fence of the same id is replaced. Rejects, and changes nothing, if `check` throws once
   * everything else stands still. For moves. @internal
   */
  async fence(id: string, moved: Moved, signal?: AbortSignal, check?: () => void): Promise<void> {
    const rows = new MovedRows(moved);
    const over = await this.#turns.take(signal);
    try {
      check?.();
      this.#fences.set(id, rows);
    } finally {
      over();
    }
  }

  unfence(id: string): void {
    this.#fences.delete(id);
  }

  /** The ids of the fences that are closed. */
  get fences(): readonly string[] {
    return [...this.#fences.keys()];
  }

  /** Whether a transaction over several shards waits here for its verdict. */
  get isInDoubt(): boolean {
    return this.#verdicts.prepared.size > 0;
  }

  /** The feed of this id, from now on: commits that change these rows, but not those of `apply`. Opened once, it stays until `closeFeed`. @internal */
  openFeed(id: string, moved: Moved): Feed {
    let feed = this.#feeds.get(id);
    if (feed === undefined) {
      feed = new Feed(new MovedRows(moved));
      this.#feeds.set(id, feed);
    }
    return feed;
  }

  closeFeed(id: string): void {
    this.#feeds.delete(id);
  }

  /** The ids of the feeds that are open. */
  get feeds(): readonly string[] {
    return [...this.#feeds.keys()];
  }

  /** These rows, as they are after the commit of `position`. @internal */
  snapshot(moved: Moved): {
    readonly position: number;
    readonly rows: readonly { readonly table: string; readonly row: Row }[];
  } {
    const filter = new MovedRows(moved);
    const rows = filter.tables.flatMap(({ name }) =>
      Array.from(this.#rows.all(name), ([, row]) => ({ table: name, row })).filter(({ row }) =>
        filter.has(name, row),
      ),
    );
    return { position: this.#position, rows };
  }

  /** Writes changes of another shard, as replication: no fence and no feed sees them. All in one commit. `check` as with `fence`. @internal */
  async apply(
    tables: Moved,
    changes: readonly RowChange[],
    signal?: AbortSignal,
    check?: () => void,
  ): Promise<void> {
    const byName = new Map(new MovedRows(tables).tables.map(table => [table.name, table]));
    const over = await this.#turns.take(signal);
    try {
      check?.();
      for (const { table, key, row } of changes) {
        const id = byName.get(table)!.identity(row ?? key);
        this.#rows.put(table, id, row);
      }
      this.#position++;
    } finally {
      over();
    }
  }

  #call<T>(
    operation: string,
    scope: Scope,
    work: (signal: AbortSignal | undefined) => Promise<T>,
    outcome: () => CallOutcome = () => 'NotExecuted',
  ): Promise<T> {
    const { timeoutMs, signal } = scope;
    if (timeoutMs === undefined && signal === undefined) return (async () => work(undefined))();
    const late = () => new ShardTimeoutError(this.name, operation, timeoutMs!, outcome());
    return withDeadline({ timeoutMs, signal, late }, work);
  }

  #begin(): MemoryTransaction {
    return new MemoryTransaction(this.#rows, (table, row) => this.#check(table, row));
  }

  #check(table: Table, row: Row | undefined): void {
    for (const moved of this.#fences.values()) {
      const isRefused = row === undefined ? moved.hasTable(table.name) : moved.has(table.name, row);
      if (isRefused) throw new WrongShardError(this.name);
    }
  }

  /** Until its verdict, no other write has its turn: as those of a database wait for its locks. */
  #keep(gid: string, transaction: MemoryTransaction, over: () => void): void {
    const end = (verdict: Verdict) => {
      if (verdict === 'commit') this.#commit(transaction);
      over();
    };
    this.#verdicts.prepared.set(gid, { at: Date.now(), end });
  }

  #commit({ changes }: MemoryTransaction): void {
    const commit: RowChange[] = [];
    for (const [name, { rows }] of changes) {
      for (const [id, row] of rows) {
        const key = row ?? this.#rows.get(name, id);
        // A row that the transaction itself has made is gone without a trace
        if (key === undefined) continue;
        this.#rows.put(name, id, row);
        commit.push({ table: name, key, row });
      }
    }
    if (commit.length === 0) return;
    const position = ++this.#position;
    for (const feed of this.#feeds.values()) feed.append({ position, changes: commit });
  }
}

function timed(scope: Scope): Scope {
  return scope.timeoutMs === undefined ? { ...scope, timeoutMs: defaultMs } : scope;
}

const shardNames = required(listOf(required(text())), "the names of the shards, as `['one', 'two']`");

/**
 * Shards in this process, by their names: nothing to install, and gone with the process.
 *
 * @throws InvalidOptionError without names, and for one that is given twice
 */
export function memoryShards<N extends string>(names: readonly N[]): Readonly<Record<N, MemoryShard>> {
  const checked = shardNames(names, 'names');
  if (checked.length === 0 || new Set(checked).size < checked.length)
    throw refused('names', 'a list of names, each once', names);
  return Object.fromEntries(names.map(name => [name, new MemoryShard(name)])) as Record<N, MemoryShard>;
}
