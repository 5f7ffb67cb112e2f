import { refused } from '@ashlar/core';
import type { Pooled, PooledEvents } from '../../connection-pool.ts';
import { OutcomeUnknownError } from '../../errors.ts';
import { CommitDoubt, type Progress } from '../../server.ts';
import type { Position } from '../../session.ts';
import type { PgClientLike, ServerMessage } from './client-like.ts';
import {
  barrier,
  begun,
  guard,
  instance,
  type PositionRow,
  position,
  positionOf,
  primaryPosition,
  primaryTimeline,
  reset,
  setup,
} from './statements.ts';
import { isRefusal, type Wire } from './wire.ts';

/** Milliseconds between two questions for the state of a commit that goes on. */
const stepMs = 20;

/** What is known of a transaction before its commit. */
interface Begun {
  readonly xid: string;
  readonly instance: string;
  readonly isReadOnly: boolean;
  readonly timeline: number;
}

export class PostgresConnection<C extends PgClientLike> implements Pooled<C> {
  readonly client: C;
  readonly #wire: Wire<C>;
  readonly #events: PooledEvents<C>;
  readonly #outcomes: string | undefined;
  #begun: Begun | undefined;

  /** @param outcomes the table of the rows that tell what became of a transaction, as text of SQL */
  constructor(wire: Wire<C>, events: PooledEvents<C>, outcomes: string | undefined) {
    this.client = wire.client;
    this.#outcomes = outcomes;
    this.#wire = wire;
    this.#events = events;
    wire.onLost(reason => events.lost(this, reason));
    wire.lend();
  }

  get progress(): Progress {
    const { executed, isWaiting, isUnacknowledged, isUnable, transactionStatus, lost } = this.#wire;
    const inDoubt = isWaiting || isUnacknowledged;
    const isRefused = this.#wire.isRefused && this.#begun?.isReadOnly !== false;
    const hasEnded = this.#begun !== undefined && this.#wire.hasEnded;
    const isInTransaction = transactionStatus !== 'I';
    return { executed, inDoubt, isRefused, isUnable, isInTransaction, hasEnded, lost };
  }

  /**
   * A server that is no primary refuses with 25006 before it does anything. Where a transaction could write when it began,
   * the work itself has made it read only, and would do so again.
   */
  isRefusal(error: unknown): boolean {
    return isRefusal(error) && this.#begun?.isReadOnly !== false;
  }

  async begin(isolation: string | undefined): Promise<void> {
    const level = isolation === undefined ? '' : ` ISOLATION LEVEL ${isolationLevel(isolation)}`;
    // Its number is asked for at once, as it costs no message more here and cannot be found out after the commit
    const results = await this.#several(`BEGIN${level}; ${begun}`);
    this.#begun = results.at(-1)?.rows[0] as Begun;
    this.#wire.hasEnded = false;
  }

  async commit(wantsPosition: boolean): Promise<Position | undefined> {
    const transaction = this.#begun!;
    const id = globalThis.crypto.randomUUID();
    const row = this.#outcomes === undefined ? '' : `INSERT INTO ${this.#outcomes} (id) VALUES ('${id}'); `;
    let results: readonly Result[];
    try {
      const { isChanged } = this.#wire.settings;
      results = await this.#several(`${guard}; ${row}COMMIT${wantsPosition ? `; ${primaryPosition}` : ''}`);
      // The guard's own are local to the transaction
      if (!isChanged) this.#wire.settings.forget();
    } catch (error) {
      if (this.#wire.lost === undefined) throw failedBefore(error);
      throw new CommitDoubt(error, (connection, signal) =>
        (connection as PostgresConnection<C>).outcomeOf(transaction, id, signal),
      );
    }
    if (this.#wire.isUnacknowledged) {
      const ended = new Error('the wait of the commit for the standbys was ended');
      throw new CommitDoubt(ended, async () => 'unknown');
    }
    return wantsPosition ? positionOf(results.at(-1)!.rows[0] as PositionRow) : undefined;
  }

  async rollback(): Promise<void> {
    await this.client.query('ROLLBACK');
  }

  /**
   * Statements that were executed with other settings may be acknowledged by nobody, and hide it: a commit that is
   * acknowledged after them says that they are too.
   */
  async acknowledged(): Promise<void> {
    if (!this.#wire.settings.isChanged) return;
    try {
      await this.client.query(`BEGIN READ WRITE; ${guard}; ${barrier}; COMMIT`);
      if (this.#wire.isUnacknowledged) throw new Error('the wait of the barrier for the standbys was ended');
    } catch (error) {
      throw new OutcomeUnknownError(
        'the work has changed `synchronous_commit`, or may have, and was not acknowledged',
        {
          cause: error,
        },
      );
    }
  }

  async position(): Promise<Position> {
    const { rows } = await this.#wire.ask(position);
    return positionOf(rows[0]);
  }

  /** The statement that suits both roles costs the client a multiple. */
  async primaryPosition(): Promise<Position> {
    const { rows } = await this.#wire.ask(primaryPosition);
    return positionOf(rows[0]);
  }

  async barrier(): Promise<void> {
    await this.client.query(barrier);
    if (this.#wire.isUnacknowledged) throw new Error('the wait of the barrier for the standbys was ended');
  }

  release(error?: Error): void {
    // A transaction that the work has left open, a statement that still runs, or a setting must not be another's
    const { transactionStatus, isWaiting, isChanged } = this.#wire;
    const isUnfit = transactionStatus !== 'I' || isWaiting || isChanged;
    const unfit = isUnfit ? new Error('the work has left something on its connection') : undefined;
    this.#wire.rest();
    this.#begun = undefined;
    if (error !== undefined || unfit !== undefined || !this.#wire.settings.isChanged)
      this.#events.released(this, error ?? unfit);
    else if (this.#wire.hasOwnSettings)
      this.#events.released(this, new Error('the work has changed settings of its connection'));
    else void this.#restore();
  }

  /** What the work has set is not another's. Nobody waits for it but who needs this very connection. */
  async #restore(): Promise<void> {
    try {
      await this.client.query(reset);
      await this.client.query(setup);
      this.#wire.settings.forget();
      this.#wire.lend();
      this.#events.released(this, undefined);
    } catch (error) {
      this.#events.released(this, error as Error);
    }
  }

  wake(): Promise<void> | undefined {
    return this.#wire.wake();
  }

  lose(reason: Error): void {
    this.#wire.lose(reason);
  }

  /**
   * What became of a commit. A number of a transaction says something only on the server that gave it, as long as that has
   * not been started again: after a crash or a promotion, numbers that were lost are given again. A row says it anywhere.
   */
  async outcomeOf(
    transaction: Begun,
    id: string,
    signal: AbortSignal,
  ): Promise<'committed' | 'aborted' | 'unknown'> {
    for (;;) {
      // Asked of another server, the number may be one that it has not given yet, which is an error
      const { rows } = await this.client.query(
        `SELECT CASE WHEN instance = $2 THEN pg_xact_status($1::xid8) END AS status, instance
          FROM (SELECT ${instance} AS instance) AS here`,
        [transaction.xid, transaction.instance],
      );
      const { status, instance: now } = rows[0] as { status: string | null; instance: string };
      if (now !== transaction.instance) return this.#rowOf(transaction, id);
      if (status === 'aborted') return 'aborted';
      if (status === 'committed') {
        await this.barrier(); // Acknowledged in its turn: so is all that was committed before
        return 'committed';
      }
      if (status !== 'in progress') return 'unknown';
      await this.client.query('SELECT pg_sleep($1)', [stepMs / 1_000]);
      signal.throwIfAborted();
    }
  }

  /** The session of the commit ended with its server's process: a row that is not there now never will be. */
  async #rowOf({ timeline }: Begun, id: string): Promise<'committed' | 'aborted' | 'unknown'> {
    if (this.#outcomes === undefined) return 'unknown';
    const { rows } = await this.client.query(
      `SELECT ${primaryTimeline} AS timeline,
        EXISTS (SELECT FROM ${this.#outcomes} WHERE id = $1) AS "isThere"`,
      [id],
    );
    const found = rows[0] as { timeline: number; isThere: boolean };
    if (found.isThere) {
      await this.barrier();
      return 'committed';
    }
    // Only a history that goes on from that of the commit can say that it lacks it
    return found.timeline >= timeline ? 'aborted' : 'unknown';
  }

  /** Several statements in one message, with a result each. */
  async #several(statements: string): Promise<readonly Result[]> {
    const results: unknown = await this.client.query(statements);
    return Array.isArray(results) ? results : [results as Result];
  }
}

interface Result {
  readonly rows: readonly unknown[];
}

const isolationLevels = ['read committed', 'repeatable read', 'serializable', 'read uncommitted'];

function isolationLevel(text: string): string {
  const level = text
    .trim()
    .toLowerCase()
    .replaceAll(/[\s_-]+/g, ' ');
  if (isolationLevels.includes(level)) return level.toUpperCase();
  throw refused('isolation', isolationLevels.map(each => JSON.stringify(each)).join(' or '), text);
}

/** 25P02: a statement of the work failed, the work passed over it, and the server has undone everything. */
function failedBefore(error: unknown): unknown {
  if ((error as ServerMessage).code !== '25P02') return error;
  const text =
    'a statement of the transaction has failed and its error was not thrown: everything was rolled back';
  return new Error(text, { cause: error });
}
