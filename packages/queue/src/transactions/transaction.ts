import { describe, InvalidOptionError, refused, withDeadline } from '@ashlar/core';
import { QueueTimeoutError, TransactionEndedError } from '../errors.ts';
import { forgotten, stateOf } from './failures.ts';
import type {
  DrizzleTransaction,
  KnexTransaction,
  KyselyTransaction,
  PgTransaction,
  PostgresJsTransaction,
  PrismaTransaction,
} from './shapes.ts';

/** Any row: its columns are lower-case words without `_`, which no plugin renames, and its values text. */
export type Row = Readonly<Record<string, string | null>>;

/** One shape for the transactions of all clients. */
export interface SqlTransaction {
  /**
   * One statement. Parameters are texts, to be cast in the statement, since each client has its own idea of arrays, bytes
   * and JSON; columns of the result are to be cast to text. Rejects as the client does.
   *
   * @param name prepares the statement under this name, once for each connection, where the client is `pg` itself
   */
  query(text: string, params: readonly string[], name?: string): Promise<{ readonly rows: readonly Row[] }>;
}

const expected = 'a transaction of pg, postgres.js, PGlite, Drizzle, Kysely, Knex or Prisma';

/** How to begin one, by what was given instead. */
const advices: readonly (readonly [is: (value: Parts) => boolean, advice: string])[] = [
  [({ totalCount }) => typeof totalCount === 'number', 'a Pool: take a client, and `BEGIN` on it'],
  [({ isTransaction }) => isTransaction === false, 'a Kysely: write `db.transaction().execute(tx => …)`'],
  [
    ({ $connect }) => typeof $connect === 'function',
    'a PrismaClient: write `prisma.$transaction(async tx => …)`',
  ],
  [({ raw }) => typeof raw === 'function', 'a Knex: write `knex.transaction(async tx => …)`'],
  [
    ({ execute }) => typeof execute === 'function',
    'a Drizzle database: write `db.transaction(async tx => …)`',
  ],
  [({ unsafe }) => typeof unsafe === 'function', 'a postgres.js client: write `sql.begin(async tx => …)`'],
];

type Parts = Readonly<Record<string, unknown>>;

/** What was made of a transaction before, as handlers publish many times in one. */
const known = new WeakMap<object, SqlTransaction>();
const connections = new WeakMap<object, Connection>();

/**
 * A transaction by its shape. What is none is refused, since its statements would commit each by itself: a pool, a
 * database, a connection of pg that is not in a transaction.
 *
 * @param timeoutMs how long a statement waits for what else is asked of the same connection of pg
 * @throws InvalidOptionError
 */
export async function transactionOf(
  value: unknown,
  timeoutMs = 10_000,
  option = 'tx',
): Promise<SqlTransaction> {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) {
    throw refused(option, expected, value);
  }
  if (isPg(value)) {
    // Each time: a connection outlives its transactions
    await checkBegun(value, option);
    const connection = connections.get(value) ?? new Connection(value);
    connections.set(value, connection);
    return { query: (...statement) => connection.query(timeoutMs, ...statement) };
  }
  const found = known.get(value) ?? shaped(value);
  if (found !== undefined) {
    known.set(value, found);
    return found;
  }
  const [, advice] = advices.find(([is]) => is(value as Parts)) ?? [];
  throw refused(option, expected, value, advice);
}

function shaped(value: object): SqlTransaction | undefined {
  const has = (...names: string[]) => names.every(name => typeof (value as Parts)[name] === 'function');
  const { isTransaction, $connect } = value as Parts;
  if (has('$queryRawUnsafe') && $connect === undefined) return prisma(value as PrismaTransaction);
  if (has('executeQuery') && isTransaction === true) return kysely(value as KyselyTransaction);
  if (has('raw', 'isCompleted', 'rollback')) return knex(value as KnexTransaction);
  if (has('execute', 'rollback')) return drizzle(value as DrizzleTransaction);
  if (has('unsafe', 'savepoint')) return postgresJs(value as PostgresJsTransaction);
  return undefined;
}

/** Of `pg`, and the transactions on it, one after the other. */
class Connection {
  readonly #client: Pg;
  /** One that has forgotten what was prepared, as after `DISCARD ALL`, prepares nothing any more. */
  #prepares = true;
  /** Of those who wait for their turn, one after the other: each would else wait for what the others ask. */
  #idle: Promise<void> = Promise.resolve();

  constructor(client: Pg) {
    this.#client = client;
  }

  async query(timeoutMs: number, ...[text, params, name]: Parameters<SqlTransaction['query']>) {
    const client = this.#client;
    try {
      const until = performance.now() + timeoutMs;
      const late = () => new QueueTimeoutError('what else was asked of `tx`', timeoutMs, 'NotExecuted');
      while (isBusy(client)) {
        const leftMs = Math.max(0, until - performance.now());
        await withDeadline({ timeoutMs: leftMs, late }, signal => this.#untilIdle(signal));
      }
      if (client.getTransactionStatus?.() === 'I') throw new TransactionEndedError();
      return answerOf(await ask(client, text, params, this.#prepares ? name : undefined));
    } catch (error) {
      if (forgotten.test(stateOf(error) ?? '')) this.#prepares = false;
      throw error;
    }
  }

  /** What is asked then is asked of the same transaction. */
  #untilIdle(signal: AbortSignal): Promise<void> {
    const client = this.#client;
    const ended = this.#idle.catch(() => {});
    this.#idle = ended.then(async () => {
      // Others may keep it busy for as long as they like
      while (isBusy(client) && !signal.aborted) await ask(client, 'SELECT 1', []);
    });
    return this.#idle;
  }
}

function prisma(tx: PrismaTransaction): SqlTransaction {
  return { query: async (text, params) => answerOf(await tx.$queryRawUnsafe(text, ...params)) };
}

function kysely(tx: KyselyTransaction): SqlTransaction {
  return {
    query: async (sql, parameters) => {
      const query = { kind: 'RawNode', sqlFragments: [sql], parameters: [] };
      return answerOf(
        await tx.executeQuery({ sql, parameters, query, queryId: { queryId: 'ashlar-queue' } }),
      );
    },
  };
}

/** Knex has `?` for parameters, in their order. */
function knex(tx: KnexTransaction): SqlTransaction {
  return {
    query: async (text, params) => {
      const bindings: string[] = [];
      const sql = text.replaceAll('?', '\\?').replace(/\$(\d+)/g, (_, number) => {
        bindings.push(params[Number(number) - 1]!);
        return '?';
      });
      return answerOf(await tx.raw(sql, bindings));
    },
  };
}

/** Drizzle asks whatever it executes for its SQL: this is what its `sql` makes. */
function drizzle(tx: DrizzleTransaction): SqlTransaction {
  return {
    query: async (sql, params) => {
      const made = { getSQL: () => made, toQuery: () => ({ sql, params: [...params] }) };
      return answerOf(await tx.execute(made));
    },
  };
}

function postgresJs(tx: PostgresJsTransaction): SqlTransaction {
  return { query: async (text, params) => answerOf(await tx.unsafe(text, [...params])) };
}

interface Pg extends PgTransaction {
  /** As of the last answer. */
  getTransactionStatus?(): 'I' | 'T' | 'E' | null;
  readonly readyForQuery?: boolean;
  rollback?: unknown;
}

/** Whether `pg` has asked something that is not answered: it may be the end of the transaction. */
function isBusy({ getTransactionStatus, readyForQuery }: Pg): boolean {
  return getTransactionStatus !== undefined && readyForQuery === false;
}

interface Preparing {
  query(statement: {
    readonly name: string;
    readonly text: string;
    readonly values: string[];
  }): PromiseLike<unknown>;
}

/** Not a pool; Knex and Prisma have `query` too. */
function isPg(value: object): value is Pg {
  const { query, totalCount, raw, $queryRawUnsafe } = value as Parts;
  const isOther = raw !== undefined || $queryRawUnsafe !== undefined || typeof totalCount === 'number';
  return typeof query === 'function' && !isOther;
}

/** `pg` before 8.18 does not say whether a transaction has begun, and what only looks like `pg` does not either. */
async function checkBegun(client: Pg, option: string): Promise<void> {
  if (typeof client.getTransactionStatus === 'function') {
    if (client.getTransactionStatus() === 'I') throw notBegun(option);
    return;
  }
  // A transaction of PGlite, which takes no two statements at once, and is nothing else
  if (typeof client.rollback === 'function') return;
  try {
    await ask(client, 'SAVEPOINT ashlar_publish', []);
  } catch (error) {
    if ((error as { code?: unknown } | null)?.code === '25P01') throw notBegun(option, error);
    throw error;
  }
  await ask(client, 'RELEASE SAVEPOINT ashlar_publish', []);
}

function notBegun(option: string, cause?: unknown): InvalidOptionError {
  return new InvalidOptionError(
    option,
    `\`${option}\` is not in a transaction, so that the message would be published whatever becomes of your work: ` +
      "`await client.query('BEGIN')` first",
    { cause },
  );
}

function ask(client: Pg, text: string, params: readonly string[], name?: string): PromiseLike<unknown> {
  const isPrepared = name !== undefined && typeof client.getTransactionStatus === 'function';
  if (!isPrepared) return client.query(text, [...params]);
  return (client as unknown as Preparing).query({ name, text, values: [...params] });
}

function answerOf(answer: unknown): { readonly rows: readonly Row[] } {
  const rows = Array.isArray(answer) ? answer : (answer as { rows?: unknown } | null)?.rows;
  if (Array.isArray(rows)) return { rows };
  throw new TypeError(`the transaction answered without rows: ${describe(answer)}`);
}
