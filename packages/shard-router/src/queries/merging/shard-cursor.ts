import type { Executor, ReadScope } from '@ashlar/replica-failover/executor';
import { Batches, cancel, named } from '../../clients/batches.ts';
import { isQueryClient, type QueryClient } from '../../clients/client.ts';
import type { Row } from '../../columns/column.ts';
import { ShardFailedError } from '../../errors/statements.ts';
import type { Query } from '../../tables/statement.ts';

/** One shard's part of a query. */
export interface ShardQuery<C> {
  readonly shard: string;
  readonly executor: Executor<C>;
  readonly statement: Query;
  /** Is called on the connection of the shard before it has its snapshot, and after. */
  readonly look?: ((client: C, hasSnapshot: boolean) => Promise<void>) | undefined;
}

/** How the parts of a query run. */
export interface CursorOptions {
  /** Rows that are fetched at once. */
  readonly batchRows: number;
  readonly scope: ReadScope;
  readonly isInTransaction: boolean;
  /** Its connection is for look-ups too, until it is closed. Those that fail leave the cursor as it is where `partial`. */
  readonly lends?: 'fail' | 'partial' | undefined;
}

/** What is to be done on the connection of a cursor; without one, it is told that there is none. */
type Loan<C> = (client: C | undefined) => Promise<void>;

/** How long a server may take to cancel a statement. */
const cancelMs = 2_000;

/** One that is over on its server is not found there, while its answer is on the way here. */
const cancelAttempts = 10;

/**
 * The rows of one shard, in batches, one of them fetched ahead. Until its last row or `close`, it keeps a connection of its shard.
 */
export class ShardCursor<C> {
  readonly shard: string;
  readonly executor: Executor<C>;
  readonly #look: ShardQuery<C>['look'];
  readonly #batches: Batches;
  readonly #stop = new AbortController();
  readonly #end: Promise<void>;
  readonly #lends: CursorOptions['lends'];
  readonly #loans: Loan<C>[] = [];
  readonly #waiting: (() => void)[] = [];
  #ready: readonly Row[] | undefined;
  #isTaken = false;
  #isClosed = false;
  #isOver = false;
  #hasBegun = false;
  /** Whether there are no more rows, while it still has its connection. */
  #isAtEnd = false;
  /** Whether the shard waits for its batch to be taken, so that nothing is in flight on its connection. */
  #isIdle = false;
  #isFilling = false;
  /** Whether the executor has given up, as at a deadline, while a statement was in flight. */
  #isLeft = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(
    { shard, executor, statement, look }: ShardQuery<C>,
    { batchRows, scope, isInTransaction, lends }: CursorOptions,
  ) {
    this.shard = shard;
    this.executor = executor;
    this.#look = look;
    this.#lends = lends;
    this.#batches = new Batches(statement, batchRows, isInTransaction, lends !== undefined);
    const work = (client: C) => this.#fill(client);
    this.#end = executor
      .read(work, { ...scope, signal: this.#stop.signal })
      .catch(error => {
        this.#failure = { error };
        this.#isLeft = this.#isFilling && !this.#isIdle;
      })
      .finally(() => {
        this.#isOver = true;
        for (const loan of this.#loans.splice(0)) void loan(undefined);
        this.#notify();
      });
  }

  /** Resolves when it has its connection, or gets none. */
  async begun(): Promise<void> {
    while (!this.#hasBegun && !this.#isOver) await this.#change();
  }

  /** The next batch; undefined after the last, and once it is closed. Rejects with the shard's error. */
  async next(): Promise<readonly Row[] | undefined> {
    while (this.#ready === undefined && !this.#isOver && !this.#isClosed && !this.#isAtEnd)
      await this.#change();
    if (this.#isClosed) return undefined;
    const rows = this.#ready;
    if (rows === undefined && this.#failure !== undefined) throw this.#failure.error;
    this.#ready = undefined;
    this.#isTaken = rows !== undefined;
    this.#notify();
    return rows;
  }

  /** Runs work on its connection, between two batches. Undefined where it has none that is to be lent; rejects as the work does. */
  async lend<T>(work: (client: C) => Promise<T>): Promise<{ readonly result: T } | undefined> {
    if (this.#lends === undefined) return undefined;
    return this.#between(async client =>
      this.#batches.isCursor ? { result: await this.#lent(client, work) } : undefined,
    );
  }

  /** Runs a statement of the query itself, between two batches, whosever the connection is. Undefined once it has ended. */
  ask<T>(work: (client: C) => Promise<T>): Promise<{ readonly result: T } | undefined> {
    const asked = this.#between(async client => ({
      result: await work(isQueryClient(client) ? (this.#named(client) as C) : client),
    }));
    // An executor that has given up may leave a statement without an answer
    return Promise.race([asked, this.#end.then(() => undefined)]);
  }

  /** Ends what runs on its connection for somebody who has given it up, and the cursor with it where that cannot be done. */
  async endLoan(): Promise<void> {
    if (!(await this.#cancelled()))
      await this.#dropped(new Error('its connection was lent, and is not given back'));
  }

  /**
   * Resolves when the executor has its connection back. One that waits closes its cursor; a statement in flight is cancelled on its server,
   * and where that cannot be done, as no other connection is to be had, the executor drops this one first.
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#batches.end();
    this.#notify();
    if (this.#isLeft) await this.#cancel();
    else if (!(await this.#cancelled())) await this.#dropped(new Error('the query was ended'));
    await this.#end;
  }

  /** Whether what is in flight ends by itself. */
  async #cancelled(): Promise<boolean> {
    for (let attempt = 0; attempt < cancelAttempts; attempt++) {
      if (this.#isIdle || this.#isOver) return true;
      if (!this.#batches.isCancellable) return true;
      const isFound = await this.#cancel();
      if (isFound !== false) return isFound ?? false;
    }
    return false;
  }

  /** A server goes on with the statement of a connection that is gone. */
  async #dropped(why: Error): Promise<void> {
    this.#stop.abort(why);
    await this.#end;
    await this.#cancel();
  }

  /** Returns whether there was something to cancel; undefined where nobody could ask. */
  async #cancel(): Promise<boolean | undefined> {
    if (!this.#batches.isCancellable) return false;
    const { name } = this.#batches;
    return this.executor.read(client => cancel(client, name), { timeoutMs: cancelMs }).catch(() => undefined);
  }

  async #fill(client: C): Promise<void> {
    // An executor may run its work again elsewhere, which has another snapshot
    if (this.#isTaken) {
      const why = new Error('a read cannot begin anew after some of its rows were returned');
      throw new ShardFailedError(this.shard, why);
    }
    this.#ready = undefined;
    this.#isFilling = true;
    this.#hasBegun = true;
    this.#notify();
    try {
      await this.#look?.(client, false);
      let hasSnapshot = false;
      for await (const rows of this.#batches.of(client)) {
        if (!hasSnapshot) await this.#look?.(client, true);
        hasSnapshot = true;
        await this.#rest(client, () => this.#ready === undefined);
        if (this.#isClosed) return;
        this.#ready = rows;
        this.#notify();
      }
      if (!hasSnapshot) await this.#look?.(client, true);
      if (this.#lends === undefined || !this.#batches.isCursor) return;
      this.#isAtEnd = true;
      this.#notify();
      await this.#rest(client, () => false);
    } finally {
      this.#isFilling = false;
    }
  }

  /** Waits, and lends the connection meanwhile, until it may go on or is closed. */
  async #rest(client: C, isOver: () => boolean): Promise<void> {
    for (;;) {
      const loan = this.#loans.shift();
      if (loan !== undefined) await loan(client);
      else if (isOver() || this.#isClosed) return;
      else {
        this.#isIdle = true;
        await this.#change();
        this.#isIdle = false;
      }
    }
  }

  async #lent<T>(client: C, work: (client: C) => Promise<T>): Promise<T> {
    if (!isQueryClient(client)) return work(client);
    const lent: QueryClient = { ...this.#named(client), lent: this.#isAtEnd ? 'idle' : 'open' };
    if (this.#isAtEnd || this.#lends === 'fail') return work(lent as C);
    await client.query('SAVEPOINT ashlar_loan');
    try {
      const result = await work(lent as C);
      await client.query('RELEASE ashlar_loan');
      return result;
    } catch (error) {
      await client.query('ROLLBACK TO ashlar_loan').catch(() => {});
      throw error;
    }
  }

  /** With the name of the cursor, so that whoever ends it cancels this too. */
  #named(client: QueryClient): QueryClient {
    return { query: (text, values) => client.query(named(this.#batches.name, text), values) };
  }

  /** Runs work when nothing is in flight; undefined when the cursor ends before. */
  async #between<T>(work: (client: C) => Promise<T | undefined>): Promise<T | undefined> {
    if (this.#isOver || this.#isClosed) return undefined;
    return new Promise((resolve, reject) => {
      this.#loans.push(async client => {
        try {
          resolve(client === undefined ? undefined : await work(client));
        } catch (error) {
          reject(error);
        }
      });
      this.#notify();
    });
  }

  #change(): Promise<void> {
    return new Promise(resolve => this.#waiting.push(resolve));
  }

  #notify(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
