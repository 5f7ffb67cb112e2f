import { type CallOutcome, refused, withDeadline } from '@ashlar/core';
import { channels } from '../../diagnostics.ts';
import { StoreClosedError, StoreTimeoutError, StoreUnavailableError } from '../../errors.ts';
import { Call, isMixedUp, isPassing, wasUndone } from './call.ts';
import { LostSessions } from './lost-sessions.ts';
import type { PoolClientLike, PoolLike } from './pool-like.ts';
import type { Statement } from './statements.ts';

export interface ConnectionsOptions {
  /** What diagnostics messages and errors call the store. */
  readonly store: string;
  readonly pool: PoolLike;
  /** Milliseconds for an operation. */
  readonly timeoutMs: number;
  /** Whether statements are prepared once for each connection, under their names. */
  readonly prepare: boolean;
}

/** The most attempts at a statement that the server undoes because of other transactions. */
const attempts = 10;

/**
 * The connections of a pool, each borrowed for one statement with a deadline. A connection that did not answer in time, or
 * whose answer was lost, is ended and never used again.
 */
export class Connections {
  /** Of connections that were lent for one statement. */
  readonly lost: LostSessions;
  readonly #options: ConnectionsOptions;
  readonly #closing = new AbortController();
  #isConnected = true;
  /** Connections that the pool is making for a call here, which may be over already. */
  #awaited = 0;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.lost = new LostSessions(options.timeoutMs);
    // An idle connection that breaks would otherwise end the process
    options.pool.on?.('error', this.#onIdleError);
    options.pool.on?.('connect', guard);
  }

  /** Whether the server answered last. */
  get connected(): boolean {
    return this.#isConnected;
  }

  /**
   * @param onLoss what is known of the statement when its answer does not come
   * @param before awaited first, within the same deadline
   */
  run<R>(
    operation: string,
    onLoss: CallOutcome,
    statement: Statement<R>,
    values: unknown[],
    before?: () => Promise<unknown>,
  ): Promise<readonly R[]> {
    return this.#call(operation, onLoss, async call => {
      if (before !== undefined) await call.within(before());
      return this.#lend(call, client => this.#ask(call, client, statement, values));
    });
  }

  /** On a borrowed connection. */
  runOn<R>(
    client: PoolClientLike,
    operation: string,
    statement: Statement<R>,
    values: unknown[],
    timeoutMs: number,
  ): Promise<readonly R[]> {
    const ask = (call: Call) => this.#ask(call, client, statement, values);
    return this.#call(operation, 'Unknown', ask, timeoutMs);
  }

  /** Several statements in one text, without parameters, as one transaction. */
  script(operation: string, text: string): Promise<unknown> {
    return this.#call(operation, 'Unknown', call =>
      this.#lend(call, client => this.#send(call, () => client.query({ text }))),
    );
  }

  /**
   * Hands over a connection to keep, which the borrower releases, also when this call rejects afterwards: a promise could
   * lose the connection to a deadline that comes between.
   */
  borrow(operation: string, take: (client: PoolClientLike) => void): Promise<void> {
    return this.#call(operation, 'NotExecuted', async call => {
      const client = await this.#connect(call);
      if (call.isOver) client.release();
      else take(client);
    });
  }

  close(): void {
    this.#closing.abort(new StoreClosedError(this.#options.store));
    this.#leave();
  }

  /** What was asked of the pool is guarded to its end. */
  #leave(): void {
    if (!this.#closing.signal.aborted || this.#awaited > 0) return;
    this.#options.pool.removeListener?.('error', this.#onIdleError);
    this.#options.pool.removeListener?.('connect', guard);
  }

  async #call<T>(
    operation: string,
    onLoss: CallOutcome,
    work: (call: Call) => Promise<T>,
    timeoutMs: number = this.#options.timeoutMs,
  ): Promise<T> {
    const { signal } = this.#closing;
    const call = new Call(operation, onLoss);
    const late = () => new StoreTimeoutError(operation, timeoutMs, call.outcome);
    try {
      return await withDeadline({ timeoutMs, signal, late }, ending => {
        call.begin(ending);
        return work(call);
      });
    } catch (error) {
      throw error === signal.reason ? new StoreClosedError(this.#options.store, call.outcome) : error;
    }
  }

  async #lend<T>(call: Call, work: (client: PoolClientLike) => Promise<T>): Promise<T> {
    const client = await this.#connect(call);
    client.on('error', ignore); // The statement in flight reports it
    const sending = this.lost.begin(call, client);
    let isSound = false;
    try {
      const result = await work(client);
      isSound = true;
      return result;
    } catch (error) {
      isSound = wasUndone((error as Error).cause);
      throw error;
    } finally {
      this.lost.end(sending, isSound);
      client.release(!isSound);
      client.removeListener('error', ignore);
    }
  }

  async #connect(call: Call): Promise<PoolClientLike> {
    this.#awaited++;
    const connecting = this.#options.pool.connect();
    const isMade = () => {
      this.#awaited--;
      setImmediate(() => this.#leave()); // The guard of this connection has gone by then
    };
    Promise.resolve(connecting).then(isMade, isMade);
    let client: PoolClientLike;
    try {
      client = await call.within(connecting);
    } catch (error) {
      connecting.then(
        late => late.release(),
        () => {},
      );
      throw this.#failed(call, error, 'NotExecuted');
    }
    if (typeof client?.query === 'function' && typeof client.release === 'function') return client;
    throw refused('pool', 'a Pool of pg, whose connect() returns a connection', this.#options.pool);
  }

  async #ask<R>(
    call: Call,
    client: PoolClientLike,
    statement: Statement<R>,
    values: unknown[],
  ): Promise<readonly R[]> {
    const { name, text } = statement;
    const { prepare } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        const query = prepare ? { name, text, values } : { text, values };
        const { rows } = await this.#send(call, () => client.query(query));
        return rows;
      } catch (error) {
        if (attempt === attempts || !isPassing((error as Error).cause)) throw error;
      }
    }
  }

  async #send<T>(call: Call, query: () => Promise<T>): Promise<T> {
    try {
      call.sent();
      const result = await call.within(query());
      this.#note();
      return result;
    } catch (error) {
      throw this.#failed(call, error, wasUndone(error) ? 'NotExecuted' : call.outcome);
    }
  }

  #failed(call: Call, error: unknown, outcome: CallOutcome): Error {
    if (error instanceof StoreClosedError) return error;
    this.#note(wasUndone(error) ? undefined : error);
    if (error instanceof StoreUnavailableError) return error;
    const { store } = this.#options;
    const text = error instanceof Error ? error.message : String(error);
    const hint = isMixedUp(error) ? '; behind PgBouncer, write `prepare: false`' : '';
    const message = `${call.operation} of ${store} failed: ${text}${hint}`;
    return new StoreUnavailableError(message, outcome, { cause: error });
  }

  /** That the server answers, or why it does not. */
  #note(error?: unknown): void {
    const isConnected = error === undefined;
    if (isConnected === this.#isConnected || this.#closing.signal.aborted) return;
    this.#isConnected = isConnected;
    const { store } = this.#options;
    if (isConnected && channels.connected.hasSubscribers) channels.connected.publish({ store });
    if (!isConnected && channels.disconnected.hasSubscribers) channels.disconnected.publish({ store, error });
  }

  readonly #onIdleError = (error: unknown): void => this.#note(error);
}

/**
 * The pool takes its listener off a connection before the borrower can add one, and the end of a session may come in the
 * same packet as its beginning: an error that nobody listens for would end the process.
 */
function guard(client: PoolClientLike): void {
  client.on('error', ignore);
  setImmediate(() => client.removeListener('error', ignore));
}

function ignore(): void {}
