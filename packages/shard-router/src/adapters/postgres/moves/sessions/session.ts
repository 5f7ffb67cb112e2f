import { abortable, sleep } from '@ashlar/core';
import { StaleMoveError } from '../../../../errors/moves.ts';
import { ShardFailedError } from '../../../../errors/statements.ts';
import { schema } from '../names.ts';
import type { PgClientLike } from './client-like.ts';
import { Presence, type SessionId } from './presence.ts';
import type { SqlSession } from './sql-session.ts';

/** The space of the advisory locks by which one worker at a time works on a move at a shard. */
const lockSpace = 1_095_976_013;
/** Milliseconds between two attempts at the lock of a session that is being ended. */
const stepMs = 10;

const listed =
  'SELECT pid, backend_start::text AS "startedAt" FROM pg_stat_activity WHERE pid = pg_backend_pid()';

/**
 * A vacuum that the server has begun of itself gives way to whoever has waited for its lock for as long as this, and no sooner: by default longer
 * than we wait. Who may not set it waits until it is over. (One against wraparound never gives way.)
 */
export const vacuumsGiveWay =
  "SELECT set_config('deadlock_timeout', '10ms', false) WHERE has_parameter_privilege('deadlock_timeout', 'SET')";

/**
 * Both shards must write a row in the same way, or verifying compares formats. What a role must not see is an error, and not left behind. A
 * serializable transaction of the application would fail over what moves read, and what has waited for a lock must see what others have committed.
 */
const settings = `
  SET application_name = 'ashlar-shard-router'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC';
  SET extra_float_digits = 1; SET bytea_output = 'hex'; SET search_path = "$user", public, pg_temp; SET statement_timeout = 0; SET lock_timeout = 0;
  SET idle_in_transaction_session_timeout = 0; SET client_min_messages = warning; SET row_security = off;
  SET default_transaction_isolation = 'read committed'; SET default_transaction_read_only = off;
  SELECT set_config('session_replication_role', 'origin', false) WHERE current_setting('session_replication_role') <> 'origin';
  SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local');
  ${vacuumsGiveWay}`;

/** Notes who works on a move. No row when a higher token is noted, or the move was undone. */
export const noting: string = `
  INSERT INTO ${schema}.move AS m (id, token, aborted) VALUES ($1, $2, $3)
  ON CONFLICT (id) DO UPDATE SET token = excluded.token, aborted = m.aborted OR excluded.aborted
  WHERE m.token <= excluded.token AND (excluded.aborted OR NOT m.aborted) RETURNING 1`;

/** Whether there is all that moves keep. */
export const created: string = `SELECT to_regclass('${schema}.touched') IS NOT NULL AS found`;

/** What moves keep in the database of a shard. The mark is a row that is replicated with the rows of a move. */
export const creation: string = `
  CREATE SCHEMA IF NOT EXISTS ${schema};
  CREATE TABLE IF NOT EXISTS ${schema}.move (id text PRIMARY KEY, token numeric NOT NULL, aborted boolean NOT NULL DEFAULT false, claimed boolean NOT NULL DEFAULT false, verified text);
  CREATE TABLE IF NOT EXISTS ${schema}.mark (move text, id uuid, at timestamptz NOT NULL, PRIMARY KEY (move, id));
  CREATE TABLE IF NOT EXISTS ${schema}.fence (id text PRIMARY KEY, slices jsonb NOT NULL, restored jsonb NOT NULL, attempt integer NOT NULL, opened integer NOT NULL DEFAULT 0);
  CREATE TABLE IF NOT EXISTS ${schema}.touched (n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, move text NOT NULL, relation text NOT NULL, key jsonb NOT NULL, xid xid8 NOT NULL DEFAULT pg_current_xact_id())`;

/** Makes what moves keep. Two sessions at once would both create; the second finds everything there. */
export async function createNotes(session: SqlSession, signal: AbortSignal): Promise<void> {
  const [row] = await session.run<{ found: boolean }>(created, [], signal);
  if (row!.found) return;
  await session.transaction(signal, async () => {
    await session.run(`SELECT pg_advisory_xact_lock(${lockSpace}, 0)`, [], signal);
    await session.run(creation, [], signal);
  });
}

/**
 * The one session that works on a move at a shard, under a lock that ends with it. A worker with a higher token ends the
 * session of the one before it: whoever was stopped in the midst of a step wakes up without a connection.
 */
export class ShardSession implements SqlSession {
  readonly shard: string;
  readonly #client: PgClientLike;
  readonly #move: string;
  readonly #lose = new AbortController();
  /** Whether it is still one of the primary: once its server has listed it. */
  #watched: ((onGone: () => void) => Presence) | undefined;

  private constructor(shard: string, move: string, client: PgClientLike) {
    this.shard = shard;
    this.#move = move;
    this.#client = client;
    const lose = (error?: Error) =>
      this.#lose.abort(error ?? this.#failed('the server has ended the connection'));
    client.on('error', lose);
    client.on('end', () => lose());
  }

  /** Why it can be used no more. */
  get lost(): Error | undefined {
    return this.#lose.signal.aborted ? (this.#lose.signal.reason as Error) : undefined;
  }

  /** For looking only: no lock, no token, no tables. */
  static async look(
    shard: string,
    client: PgClientLike,
    signal: AbortSignal,
    using: string = settings,
  ): Promise<ShardSession> {
    const session = new ShardSession(shard, '', client);
    try {
      await abortable(client.connect(), signal);
      await session.run(using, [], signal);
      return session;
    } catch (error) {
      session.end();
      throw error;
    }
  }

  /**
   * @param newClient of who is the primary then
   * @param aborts for whoever undoes the move, which ends it for all others
   * @throws StaleMoveError
   */
  static async begin(
    shard: string,
    newClient: () => Promise<PgClientLike>,
    { id, token, aborts }: { readonly id: string; readonly token: bigint; readonly aborts: boolean },
    signal: AbortSignal,
  ): Promise<ShardSession> {
    const client = await newClient();
    const session = new ShardSession(shard, id, client);
    try {
      await abortable(client.connect(), signal);
      await session.run(settings, [], signal);
      const [of] = await session.run<SessionId>(listed, [], signal);
      session.#watched = onGone => new Presence(of!, newClient, onGone);
      await createNotes(session, signal);
      await session.#note(token, aborts, signal);
      await session.#lock(signal);
      await session.#check(token, signal);
      return session;
    } catch (error) {
      session.end();
      throw error;
    }
  }

  /** Runs one statement, or several without values. An abort ends the session: what is in flight may still be executed. */
  // biome-ignore lint/suspicious/noExplicitAny: rows of any statement
  async run<R = any>(text: string, values: unknown[], signal: AbortSignal): Promise<R[]> {
    if (this.lost !== undefined) throw this.lost;
    using _ = this.#watched?.(() => this.end(this.#failed('it has another primary now')));
    try {
      const query = this.#client.query(text, values.length > 0 ? values : undefined);
      const result = await abortable(query, AbortSignal.any([signal, this.#lose.signal]));
      return result.rows as R[];
    } catch (error) {
      if (signal.aborted) this.end();
      throw error;
    }
  }

  /** Runs the work in a transaction. */
  async transaction<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.run('BEGIN', [], signal);
    try {
      const result = await work();
      await this.run('COMMIT', [], signal);
      return result;
    } catch (error) {
      if (this.lost === undefined) await this.run('ROLLBACK', [], signal).catch(() => this.end());
      throw error;
    }
  }

  end(why: Error = this.#failed('the session was ended')): void {
    this.#lose.abort(why);
    this.#client.end().catch(() => {});
  }

  #failed(why: string): ShardFailedError {
    return new ShardFailedError(this.shard, new Error(why));
  }

  async #note(token: bigint, aborts: boolean, signal: AbortSignal): Promise<void> {
    const noted = await this.run(noting, [this.#move, String(token), aborts], signal);
    if (noted.length === 0) throw new StaleMoveError(this.#move);
  }

  async #lock(signal: AbortSignal): Promise<void> {
    for (;;) {
      const [row] = await this.run<{ locked: boolean }>(
        `SELECT pg_try_advisory_lock(${lockSpace}, hashtext($1)) AS locked`,
        [this.#move],
        signal,
      );
      if (row!.locked) return;
      await this.run(
        `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = ${lockSpace}
         AND objid = hashtext($1)::oid AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
         AND granted AND pid <> pg_backend_pid()`,
        [this.#move],
        signal,
      );
      await sleep(stepMs, signal);
    }
  }

  /** A higher token may have been noted between ours and the lock. */
  async #check(token: bigint, signal: AbortSignal): Promise<void> {
    const [row] = await this.run(
      `SELECT token::text FROM ${schema}.move WHERE id = $1`,
      [this.#move],
      signal,
    );
    if (row?.token !== String(token)) throw new StaleMoveError(this.#move);
  }
}
