import { CollationError, DuplicateRowError, UnsupportedClientError } from '../errors/statements.ts';
import { collationOf, isQuery, type Result, type Statement } from '../tables/statement.ts';
import { rowsOf, sqlOf } from './sql.ts';

/** A client of PostgreSQL: that of `pg`, PGlite, or what looks like one. */
export interface QueryClient {
  // biome-ignore lint/suspicious/noExplicitAny: as in `pg`, or its types would not fit
  query(text: string, values?: any[]): Promise<Returned>;
  /** Others share its session: it cannot keep a cursor open. */
  readonly hasOneSession?: boolean;
  /** Somebody has lent it: with a transaction open, or not. */
  readonly lent?: 'open' | 'idle';
}

interface Returned {
  // biome-ignore lint/suspicious/noExplicitAny: as in `pg`, or its types would not fit
  readonly rows: any[];
  /** `pg` */
  readonly rowCount?: number | null;
  /** PGlite */
  readonly affectedRows?: number;
}

/** A client that takes statements as data. */
interface StatementClient {
  execute(statement: Statement): Promise<Result>;
}

export function isQueryClient(client: unknown): client is QueryClient {
  return typeof (client as Partial<QueryClient> | null)?.query === 'function';
}

function isStatementClient(client: unknown): client is StatementClient {
  return typeof (client as Partial<StatementClient> | null)?.execute === 'function';
}

/** PostgreSQL's code of an error about something that is not there, as a collation. */
export const undefinedObject = '42704';

export function missingCollation(collation: string, cause: unknown): CollationError {
  return new CollationError(collation, 'is not on the shard: create it', { cause });
}

/** Runs the statement on a client of any kind. @throws DuplicateRowError, UnsupportedClientError */
export async function execute(client: unknown, statement: Statement): Promise<Result> {
  if (isQueryClient(client)) return query(client, statement);
  if (isStatementClient(client)) return client.execute(statement);
  throw new UnsupportedClientError(client);
}

async function query(client: QueryClient, statement: Statement): Promise<Result> {
  const { text, values } = sqlOf(statement);
  try {
    const { rows, rowCount, affectedRows } = await client.query(text, [...values]);
    if (isQuery(statement)) return { rows: rowsOf(statement, rows), count: rows.length };
    return { rows: [], count: rowCount ?? affectedRows ?? 0 };
  } catch (error) {
    const { code, detail } = (error ?? {}) as { readonly code?: unknown; readonly detail?: unknown };
    const collation = statement.kind === 'select' ? collationOf(statement.orderBy) : undefined;
    if (code === undefinedObject && collation !== undefined) throw missingCollation(collation, error);
    // unique_violation
    if (code !== '23505') throw error;
    const which = typeof detail === 'string' ? detail : undefined;
    throw new DuplicateRowError(statement.table.name, which, { cause: error });
  }
}
