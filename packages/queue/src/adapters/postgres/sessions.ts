import { createHash } from 'node:crypto';
import { type CallOutcome, InvalidOptionError } from '@ashlar/core';
import { QueueClosedError, QueueTimeoutError, QueueUnavailableError } from '../../errors.ts';
import { failed, forgotten, stateOf, uncertain } from '../../transactions/failures.ts';
import {
  cancel,
  guardConnections,
  ignore,
  isReadOnly,
  type PoolClientLike,
  type PoolLike,
} from '../../transactions/pool.ts';
import { columnTypes } from '../../transactions/tables/column-types.ts';
import { inTime } from '../in-time.ts';

// biome-ignore lint/suspicious/noExplicitAny: each statement knows its columns
export type Row = Record<string, any>;

/** Where statements run: a connection of the pool, or the transaction of somebody else. */
export interface Queryable {
  query(text: string, values: readonly unknown[]): Promise<{ readonly rows: readonly Row[] }>;
}

export interface SessionsOptions {
  readonly pool: PoolLike;
  readonly timeoutMs: number;
  readonly prepare: boolean;
  /** Milliseconds that a connection keeps the plans of prepared statements. */
  readonly plansMs?: number;
}

interface Call {
  /** What is known of it when its answer does not come. */
  onLoss: CallOutcome;
  /** Nobody waits for it any more. */
  isLate: boolean;
}

/** A serialization failure, a deadlock: undone because of others, and worth another attempt. */
const passing = /^(40001|40P01)$/;
/** Of those, and what may be different later: too many connections, a full disk, a limit of time, a standby that becomes primary. */
const temporary = /^(40001|40P01|53|57014|55P03|25006)/;
const advice = '`await driver.migrate()` makes the tables';
const attempts = 10;
/**
 * How long a connection keeps its plans. One that was made while a table was empty reads it from end to end, and the server
 * keeps it until the next vacuum, which may be long in coming.
 */
const usualPlansMs = 10_000;

/** Connections of the pool, each borrowed for one statement or transaction. One that did not answer in time is ended. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #closing = new AbortController();
  readonly #names = new Map<string, string>();
  readonly #plannedAt = new WeakMap<PoolClientLike, number>();

  constructor(options: SessionsOptions) {
    this.#options = options;
    // An idle connection that breaks would otherwise end the process
    options.pool.on?.('error', ignore);
    guardConnections(options.pool);
  }

  /** One statement, which is a transaction. @param onLoss what is known of it when its answer does not come */
  async run(
    what: string,
    onLoss: CallOutcome,
    text: string,
    values: readonly unknown[] = [],
  ): Promise<readonly Row[]> {
    const { rows } = await this.single(what, onLoss, queryable => queryable.query(text, values));
    return rows;
  }

  /** The same for work that is one statement. */
  single<T>(what: string, onLoss: CallOutcome, work: (queryable: Queryable) => Promise<T>): Promise<T> {
    return this.#lend(what, onLoss, client => work(this.on(client)));
  }

  /**
   * Several statements as one transaction, which rolls back when the work rejects. Nothing is executed unless its commit
   * was sent in time. A server that hears no more of it rolls it back soon, and lets go of its locks.
   */
  transact<T>(what: string, work: (queryable: Queryable) => Promise<T>, begin = ''): Promise<T> {
    const limitMs = Math.ceil(this.#options.timeoutMs);
    const limits = ['idle_in_transaction_session_timeout', 'statement_timeout'];
    const local = limits.map(name => `SET LOCAL ${name} = ${limitMs}`).join('; ');
    return this.#lend(what, 'Unknown', async (client, call) => {
      call.onLoss = 'NotExecuted';
      try {
        // Statements see what others have committed before them, whatever the default is
        await client.query({ text: `BEGIN ISOLATION LEVEL READ COMMITTED; ${local}; ${begin}` });
        const result = await work(this.on(client));
        if (call.isLate) throw this.#late(what, call);
        call.onLoss = 'Unknown';
        await client.query({ text: 'COMMIT' });
        return result;
      } catch (error) {
        await client.query({ text: 'ROLLBACK' });
        throw error;
      }
    });
  }

  /** A connection to keep, which the borrower releases. */
  async borrow(): Promise<PoolClientLike> {
    const client = await this.#connect('a connection');
    if (!this.#closing.signal.aborted) return client;
    client.release();
    throw new QueueClosedError('the postgres driver');
  }

  on(client: PoolClientLike): Queryable {
    return {
      query: (text, values) => {
        const name = this.#options.prepare ? { name: this.#nameOf(text) } : {};
        return client.query({ ...name, text, values: [...values], types: columnTypes });
      },
    };
  }

  close(): void {
    this.#closing.abort(new QueueClosedError('the postgres driver'));
    this.#options.pool.removeListener?.('error', ignore);
  }

  /** Of the text, so that drivers over different tables can share connections. */
  #nameOf(text: string): string {
    let name = this.#names.get(text);
    if (name === undefined) {
      name = `ashlar_queue_${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
      this.#names.set(text, name);
    }
    return name;
  }

  async #lend<T>(
    what: string,
    onLoss: CallOutcome,
    work: (client: PoolClientLike, call: Call) => Promise<T>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const client = await this.#connect(what);
      client.on('error', ignore); // The statement in flight reports it
      let isSound = false;
      const call: Call = { onLoss: 'NotExecuted', isLate: false };
      try {
        const working = async () => {
          const forgetting = this.#forgetPlans(client);
          if (forgetting !== undefined) await forgetting;
          if (call.isLate) throw this.#late(what, call);
          call.onLoss = onLoss;
          return work(client, call);
        };
        const result = await this.#inTime(what, call, working());
        isSound = true;
        return result;
      } catch (error) {
        const state = stateOf(error);
        const isRefused = state !== undefined && !uncertain.test(state);
        const isForgotten = isRefused && forgotten.test(state);
        isSound = isRefused && !isForgotten && !isReadOnly(error);
        if (isRefused && (isForgotten || passing.test(state)) && attempt < attempts) continue;
        throw failed(what, error, isRefused ? 'NotExecuted' : call.onLoss, advice);
      } finally {
        const release = () => {
          client.release(!isSound);
          client.removeListener('error', ignore);
        };
        if (call.isLate) void cancel(client).then(release);
        else release();
      }
    }
  }

  /** Undefined when there is nothing to wait for. */
  #forgetPlans(client: PoolClientLike): Promise<unknown> | undefined {
    const { prepare, plansMs = usualPlansMs } = this.#options;
    if (!prepare) return undefined;
    const now = performance.now();
    const plannedAt = this.#plannedAt.get(client);
    if (plannedAt !== undefined && now < plannedAt + plansMs) return undefined;
    this.#plannedAt.set(client, now);
    return plannedAt === undefined ? undefined : client.query({ text: 'DISCARD PLANS' });
  }

  async #connect(what: string): Promise<PoolClientLike> {
    if (this.#closing.signal.aborted) throw new QueueClosedError('the postgres driver');
    const connecting = this.#options.pool.connect();
    try {
      const client = await this.#inTime(what, { onLoss: 'NotExecuted', isLate: false }, connecting);
      if (isBinary(client)) throw new InvalidOptionError('pool', binaryFault);
      return client;
    } catch (error) {
      connecting.then(
        late => late.release(),
        () => {},
      );
      throw failed(what, error, 'NotExecuted', advice);
    }
  }

  #inTime<T>(what: string, call: Call, work: Promise<T>): Promise<T> {
    return inTime(work, this.#options.timeoutMs, () => {
      call.isLate = true;
      return this.#late(what, call);
    });
  }

  #late(what: string, { onLoss }: Call): Error {
    return new QueueTimeoutError(what, this.#options.timeoutMs, onLoss);
  }
}

const binaryFault =
  '`pool` must not be `binary`: `pg` then takes bytes for text, and no body of a message outlives that; ' +
  'give the driver a Pool without it';

function isBinary(client: PoolClientLike): boolean {
  return (client as { readonly binary?: unknown }).binary === true;
}

/** Whether the server was not there, and may be back. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof QueueUnavailableError)) return false;
  const state = stateOf(error.cause);
  return state === undefined || uncertain.test(state) || temporary.test(state);
}
