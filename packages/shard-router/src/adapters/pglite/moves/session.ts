import { abortable, onAbort } from '@ashlar/core';
import { StaleMoveError } from '../../../errors/moves.ts';
import { schema } from '../../postgres/moves/names.ts';
import { created, creation, noting } from '../../postgres/moves/sessions/session.ts';
import type { SqlSession } from '../../postgres/moves/sessions/sql-session.ts';
import type { PGliteAdminLike, PGliteMovedLike } from '../clients.ts';

/** The session is that of the application, with its role and its temporary tables: what is set ends with each transaction. */
const settings = `
  SET LOCAL transaction_read_only = off; SET LOCAL SESSION AUTHORIZATION DEFAULT; SET LOCAL ROLE NONE; SET LOCAL row_security = off;
  SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL TimeZone = 'UTC'; SET LOCAL extra_float_digits = 1;
  SET LOCAL bytea_output = 'hex'; SET LOCAL search_path = "$user", public, pg_temp; SET LOCAL statement_timeout = 0;
  SET LOCAL client_min_messages = warning`;

/** Whose a move is. */
export interface Worker {
  readonly id: string;
  readonly token: bigint;
  /** Undoes the move, which ends it for all others. */
  readonly aborts: boolean;
}

/** The session was not to be had in time. */
export class BusySessionError extends Error {}

/**
 * Works on a move in the one session of a database, between what the application does there. Everything is in a transaction, which nobody
 * interrupts, and which first looks whether the move is still this worker's.
 */
export class PGliteSession implements SqlSession {
  readonly shard: string;
  readonly #db: PGliteMovedLike;
  readonly #worker: Worker | undefined;
  readonly #withinMs: number | undefined;
  /** The transaction that is open. */
  #open: PGliteAdminLike | undefined;

  /** @param worker or it is for looking only */
  constructor(shard: string, db: PGliteMovedLike, worker?: Worker, withinMs?: number) {
    this.shard = shard;
    this.#db = db;
    this.#worker = worker;
    this.#withinMs = withinMs;
  }

  /**
   * @param withinMs how long it waits each time for the application's transactions; default: as long as they take
   * @throws StaleMoveError, BusySessionError
   */
  static async begin(
    shard: string,
    db: PGliteMovedLike,
    worker: Worker,
    signal: AbortSignal,
    withinMs?: number,
  ): Promise<PGliteSession> {
    const session = new PGliteSession(shard, db, undefined, withinMs);
    await session.transaction(signal, async () => {
      const [row] = await session.run<{ found: boolean }>(created, [], signal);
      if (!row!.found) await session.run(creation, [], signal);
      const noted = await session.run(noting, [worker.id, String(worker.token), worker.aborts], signal);
      if (noted.length === 0) throw new StaleMoveError(worker.id);
    });
    return new PGliteSession(shard, db, worker, withinMs);
  }

  // biome-ignore lint/suspicious/noExplicitAny: rows of any statement
  async run<R = any>(text: string, values: unknown[], signal: AbortSignal): Promise<R[]> {
    const open = this.#open;
    if (open === undefined) return this.transaction(signal, () => this.run<R>(text, values, signal));
    signal.throwIfAborted();
    if (values.length > 0) return (await open.query(text, values)).rows as R[];
    return ((await open.exec(text)).at(-1)?.rows ?? []) as R[];
  }

  /** Ends early only while it waits for the session: what has begun is over in an instant, and rolled back where it fails. */
  async transaction<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    // The database is in this process, and answers without a turn of the event loop: others, as who renews a lease, have theirs in between
    await new Promise(resolve => setImmediate(resolve));
    const waiting = new AbortController();
    const unlink = onAbort(signal, reason => waiting.abort(reason));
    const late = () => waiting.abort(new BusySessionError(`a transaction at ${this.shard} does not end`));
    const timer = this.#withinMs === undefined ? undefined : setTimeout(late, this.#withinMs);
    let hasBegun = false;
    const done = this.#db.transaction(async open => {
      if (waiting.signal.aborted) return undefined;
      hasBegun = true;
      this.#open = open;
      try {
        await open.exec(settings);
        await this.#check(open);
        return { result: await work() };
      } finally {
        this.#open = undefined;
      }
    });
    try {
      return (await abortable(done, waiting.signal))!.result;
    } catch (error) {
      if (hasBegun) return (await done)!.result;
      throw error;
    } finally {
      clearTimeout(timer);
      unlink();
    }
  }

  async #check(open: PGliteAdminLike): Promise<void> {
    if (this.#worker === undefined) return;
    const { id, token, aborts } = this.#worker;
    const { rows } = await open.query(
      `SELECT FROM ${schema}.move WHERE id = $1 AND token = $2 AND (NOT aborted OR $3)`,
      [id, String(token), aborts],
    );
    if (rows.length === 0) throw new StaleMoveError(id);
  }
}
