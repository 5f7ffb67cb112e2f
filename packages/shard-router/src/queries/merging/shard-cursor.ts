import type { Executor, ReadScope } from '@ashlar/replica-failover/executor';
import { Batches, cancel } from '../../clients/batches.ts';
import type { Row } from '../../columns/column.ts';
import type { Query } from '../../tables/statement.ts';

/** One shard's part of a query. */
export interface ShardQuery<C> {
  readonly shard: string;
  readonly executor: Executor<C>;
  readonly statement: Query;
  /** Is called on the connection of the shard before it has its snapshot, and after. */
  readonly look?: ((client: C) => Promise<void>) | undefined;
}

/** How long a server may take to cancel a statement. */
const cancelMs = 2_000;

/** One that is over on its server is not found there, while its answer is on the way here. */
const cancelAttempts = 10;

/**
 * The rows of one shard, in batches, one of them fetched ahead. Until its last row or `close`, it keeps a connection of its shard.
 */
export class ShardCursor<C> {
  readonly shard: string;
  readonly #executor: Executor<C>;
  readonly #look: ShardQuery<C>['look'];
  readonly #batches: Batches;
  readonly #stop = new AbortController();
  readonly #end: Promise<void>;
  readonly #waiting: (() => void)[] = [];
  #ready: readonly Row[] | undefined;
  #isTaken = false;
  #isClosed = false;
  #isOver = false;
  /** Whether the shard waits for its batch to be taken, so that nothing is in flight on its connection. */
  #isIdle = false;
  #isFilling = false;
  /** Whether the executor has given up, as at a deadline, while a statement was in flight. */
  #isLeft = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(
    { shard, executor, statement, look }: ShardQuery<C>,
    size: number,
    scope: ReadScope,
    isInTransaction: boolean,
  ) {
    this.shard = shard;
    this.#executor = executor;
    this.#look = look;
    this.#batches = new Batches(statement, size, isInTransaction);
    const work = (client: C) => this.#fill(client);
    this.#end = executor
      .read(work, { ...scope, signal: this.#stop.signal })
      .catch(error => {
        this.#failure = { error };
        this.#isLeft = this.#isFilling && !this.#isIdle;
      })
      .finally(() => {
        this.#isOver = true;
        this.#notify();
      });
  }

  /** The next batch; undefined after the last, and once it is closed. Rejects with the shard's error. */
  async next(): Promise<readonly Row[] | undefined> {
    while (this.#ready === undefined && !this.#isOver && !this.#isClosed) await this.#change();
    if (this.#isClosed) return undefined;
    const rows = this.#ready;
    if (rows === undefined && this.#failure !== undefined) throw this.#failure.error;
    this.#ready = undefined;
    this.#isTaken = rows !== undefined;
    this.#notify();
    return rows;
  }

  /**
   * Resolves when the executor has its connection back. One that waits closes its cursor; a statement in flight is cancelled on its server,
   * and where that cannot be done, the call is aborted and the executor drops the connection.
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#batches.end();
    this.#notify();
    if (this.#isLeft) await this.#cancel();
    else if (!(await this.#cancelled())) this.#stop.abort(new Error('the query was ended'));
    await this.#end;
  }

  /** Whether what is in flight ends by itself. */
  async #cancelled(): Promise<boolean> {
    for (let attempt = 0; attempt < cancelAttempts; attempt++) {
      if (this.#isIdle || this.#isOver) return true;
      if (!this.#batches.isCancellable || (await this.#cancel())) return true;
    }
    return false;
  }

  /** Returns whether there was something to cancel. */
  async #cancel(): Promise<boolean> {
    if (!this.#batches.isCancellable) return false;
    const { name } = this.#batches;
    return this.#executor.read(client => cancel(client, name), { timeoutMs: cancelMs }).catch(() => false);
  }

  async #fill(client: C): Promise<void> {
    // An executor may run its work again elsewhere, which has another snapshot
    if (this.#isTaken) throw new Error('a read cannot begin anew after some of its rows were returned');
    this.#ready = undefined;
    this.#isFilling = true;
    try {
      await this.#look?.(client);
      let hasSnapshot = false;
      for await (const rows of this.#batches.of(client)) {
        if (!hasSnapshot) await this.#look?.(client);
        hasSnapshot = true;
        this.#isIdle = true;
        while (this.#ready !== undefined && !this.#isClosed) await this.#change();
        this.#isIdle = false;
        if (this.#isClosed) return;
        this.#ready = rows;
        this.#notify();
      }
      if (!hasSnapshot) await this.#look?.(client);
    } finally {
      this.#isFilling = false;
    }
  }

  #change(): Promise<void> {
    return new Promise(resolve => this.#waiting.push(resolve));
  }

  #notify(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
