import type { CallOutcome } from '@ashlar/core';
import { channels } from '../../diagnostics.ts';
import { StoreClosedError, StoreUnavailableError } from '../../errors.ts';
import { Call } from './call.ts';
import { isMixedUp, isPassing, wasUndone } from './outcome.ts';
import type { PoolClientLike, PoolLike } from './pool-like.ts';
import type { Statement } from './statements.ts';

export interface ConnectionsOptions {
  /** As diagnostics messages call the store. */
  readonly store: string;
  readonly pool: PoolLike;
  readonly timeoutMs: number;
  /** Whether statements are prepared once a connection, under their names. */
  readonly prepare: boolean;
}

/** How often a statement is tried that the server undoes because of others. */
const attempts = 10;

/**
 * The connections of a pool, each borrowed for one statement with a deadline. One that did not answer in time, or
 * whose answer was lost, is ended and never used again.
 */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #calls = new Set<Call>();
  #isConnected = true;
  #isClosed = false;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    // an idle connection that breaks would otherwise end the process
    options.pool.on?.('error', this.#onIdleError);
  }

  /** Whether the last that was asked was answered. */
  get connected(): boolean {
    return this.#isConnected;
  }

  /** `onLoss` is what is known of the statement when its answer does not come; `before` is waited for in its time. */
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

  /** On a connection that was borrowed. */
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

  /** A connection to keep; whoever has it releases it. */
  borrow(operation: string): Promise<PoolClientLike> {
    return this.#call(operation, 'NotExecuted', call => this.#connect(call));
  }

  close(): void {
    this.#isClosed = true;
    for (const call of this.#calls) call.fail(new StoreClosedError(this.#options.store, call.outcome));
    this.#options.pool.removeListener?.('error', this.#onIdleError);
  }

  /** Notes that the server answers, or why it does not. */
  note(error?: unknown): void {
    const isConnected = error === undefined;
    if (isConnected === this.#isConnected || this.#isClosed) return;
    this.#isConnected = isConnected;
    const { store } = this.#options;
    if (isConnected && channels.connected.hasSubscribers) channels.connected.publish({ store });
    if (!isConnected && channels.disconnected.hasSubscribers) channels.disconnected.publish({ store, error });
  }

  async #call<T>(
    operation: string,
    onLoss: CallOutcome,
    work: (call: Call) => Promise<T>,
    timeoutMs: number = this.#options.timeoutMs,
  ): Promise<T> {
    const { store } = this.#options;
    if (this.#isClosed) throw new StoreClosedError(store);
    const call = new Call(operation, timeoutMs, onLoss);
    this.#calls.add(call);
    try {
      return await work(call);
    } finally {
      call.done();
      this.#calls.delete(call);
    }
  }

  async #lend<T>(call: Call, work: (client: PoolClientLike) => Promise<T>): Promise<T> {
    const client = await this.#connect(call);
    client.on('error', ignore); // the statement under way tells it
    let isSound = false;
    try {
      const result = await work(client);
      isSound = true;
      return result;
    } catch (error) {
      isSound = wasUndone((error as Error).cause);
      throw error;
    } finally {
      client.release(!isSound);
      client.removeListener('error', ignore);
    }
  }

  async #connect(call: Call): Promise<PoolClientLike> {
    const connecting = this.#options.pool.connect();
    try {
      return await call.within(connecting);
    } catch (error) {
      connecting.then(
        late => late.release(),
        () => {},
      );
      throw this.#failed(call, error, 'NotExecuted');
    }
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
      this.note();
      return result;
    } catch (error) {
      throw this.#failed(call, error, wasUndone(error) ? 'NotExecuted' : call.outcome);
    }
  }

  #failed(call: Call, error: unknown, outcome: CallOutcome): Error {
    if (error instanceof StoreClosedError) return error;
    this.note(wasUndone(error) ? undefined : error);
    if (error instanceof StoreUnavailableError) return error;
    const { store } = this.#options;
    const text = error instanceof Error ? error.message : String(error);
    const hint = isMixedUp(error) ? '; behind PgBouncer, say prepare: false' : '';
    const message = `${call.operation} of ${store} failed: ${text}${hint}`;
    return new StoreUnavailableError(message, outcome, { cause: error });
  }

  readonly #onIdleError = (error: unknown): void => this.note(error);
}

function ignore(): void {}
