import type { Row } from '../columns/column.ts';
import type { Query } from '../tables/statement.ts';
import { execute, isQueryClient, type QueryClient } from './client.ts';
import { rowsOf, sqlOf } from './sql.ts';

/**
 * The rows of a query in batches of so many, each fetched when it is asked for. On PostgreSQL they are those of one snapshot, out of a
 * cursor in a transaction that only reads. Ending early closes the cursor.
 */
export class Batches {
  /** Of the cursor: what a server runs for it has this in its text. */
  readonly name: string = `ashlar_${globalThis.crypto.randomUUID().replaceAll('-', '')}`;
  readonly #query: Query;
  readonly #size: number;
  readonly #begin: string;
  #isInTransaction: boolean;
  #isOnServer = false;
  #isLent = false;
  #isEnded = false;

  /** @param lends whether others run statements between two batches: these see what was committed since, whatever the server's default is */
  constructor(query: Query, size: number, isInTransaction: boolean, lends = false) {
    this.#begin = `BEGIN ${lends ? 'ISOLATION LEVEL READ COMMITTED ' : ''}READ ONLY`;
    this.#query = query;
    this.#size = size;
    this.#isInTransaction = isInTransaction;
  }

  /** Whether a statement may be in flight on a server, on a connection that nobody else has to do with. */
  get isCancellable(): boolean {
    return this.#isOnServer && !this.#isInTransaction && !this.#isLent;
  }

  /** Whether they come out of a cursor on a connection of their own, on which others may run statements between two batches. */
  get isCursor(): boolean {
    return this.isCancellable && !isAtOnce(this.#query, this.#size);
  }

  /** No further statement begins, but for the end of the transaction. */
  end(): void {
    this.#isEnded = true;
  }

  async *of(client: unknown): AsyncGenerator<readonly Row[]> {
    const size = this.#size;
    // One session has no room for a cursor that stays open while others use it
    if (!isQueryClient(client) || client.hasOneSession) {
      const { rows } = await execute(client, this.#query);
      for (let at = 0; at < rows.length; at += size) yield rows.slice(at, at + size);
      return;
    }
    this.#isOnServer = true;
    this.#isLent = client.lent !== undefined;
    this.#isInTransaction ||= client.lent === 'open';
    yield* isAtOnce(this.#query, size) ? this.#atOnce(client) : this.#fetched(client);
  }

  async *#atOnce(client: QueryClient): AsyncGenerator<readonly Row[]> {
    const { text, values } = sqlOf(this.#query);
    const { rows } = await client.query(named(this.name, text), [...values]);
    if (rows.length > 0) yield rowsOf(this.#query, rows);
  }

  async *#fetched(client: QueryClient): AsyncGenerator<readonly Row[]> {
    if (this.#isInTransaction) return yield* this.#cursor(client);
    await client.query(this.#begin);
    let isWhole = false;
    try {
      yield* this.#cursor(client);
      isWhole = true;
    } finally {
      const end = client.query('COMMIT');
      // What failed first is the reason
      await (isWhole ? end : end.catch(() => {}));
    }
  }

  async *#cursor(client: QueryClient): AsyncGenerator<readonly Row[]> {
    if (this.#isEnded) return;
    const { text, values } = sqlOf(this.#query);
    await client.query(`DECLARE ${this.name} NO SCROLL CURSOR FOR ${text}`, [...values]);
    let isFailed = false;
    try {
      for (let isLast = false; !isLast && !this.#isEnded; ) {
        isFailed = true;
        const { rows } = await client.query(`FETCH ${this.#size} FROM ${this.name}`);
        isFailed = false;
        isLast = rows.length < this.#size;
        if (rows.length > 0) yield rowsOf(this.#query, rows);
      }
    } finally {
      // The end of its own transaction closes it
      if (this.#isInTransaction && !isFailed) await client.query(`CLOSE ${this.name}`);
    }
  }
}

/** Whether a query has no more rows than a batch, so that nothing is kept open for it. */
export function isAtOnce(query: Query, size: number): boolean {
  const { limit = Number.POSITIVE_INFINITY } = query as { readonly limit?: number };
  return limit <= size;
}

/** A statement by whose text others find it. In front: a server shows the first kilobyte. */
export function named(name: string, text: string): string {
  return `/* ${name} */ ${text}`;
}

/** Cancels what runs for the batches of this name on the server of the client. Returns whether anything did. */
export async function cancel(client: unknown, name: string): Promise<boolean> {
  const { rows } = await (client as QueryClient).query(
    `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE $1`,
    [`%${name}%`],
  );
  return rows.length > 0;
}
