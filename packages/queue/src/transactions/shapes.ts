/** What an answer of a client has: rows, or an object with them. */
type Answer = PromiseLike<unknown>;

/**
 * A connection of `pg` within a transaction, and what looks like one: a transaction of PGlite, a QueryRunner of TypeORM.
 * A pool is none, because each of its statements would commit by itself.
 */
export interface PgTransaction {
  query(text: string, values: string[]): Answer;
  readonly totalCount?: never;
}

/** `sql` in `sql.begin(sql => …)` of postgres.js. */
export interface PostgresJsTransaction {
  // biome-ignore lint/suspicious/noExplicitAny: as in postgres.js, or its types would not fit
  unsafe(text: string, values?: any[]): Answer;
  // biome-ignore lint/suspicious/noExplicitAny: the same
  savepoint(...args: any[]): unknown;
}

/** `tx` in `db.transaction(tx => …)` of Drizzle. */
export interface DrizzleTransaction {
  // biome-ignore lint/suspicious/noExplicitAny: as in Drizzle, or its types would not fit
  execute(query: any): Answer;
  rollback(): never;
}

/** `trx` in `db.transaction().execute(trx => …)` of Kysely. */
export interface KyselyTransaction {
  readonly isTransaction: true;
  // biome-ignore lint/suspicious/noExplicitAny: as in Kysely, or its types would not fit
  executeQuery(query: any): Answer;
}

/** `trx` in `knex.transaction(trx => …)` of Knex. */
export interface KnexTransaction {
  // biome-ignore lint/suspicious/noExplicitAny: as in Knex, or its types would not fit
  raw(text: string, bindings: any): Answer;
  isCompleted(): boolean;
}

/** `tx` in `prisma.$transaction(async tx => …)` of Prisma. */
export interface PrismaTransaction {
  // biome-ignore lint/suspicious/noExplicitAny: as in Prisma, or its types would not fit
  $queryRawUnsafe(text: string, ...values: any[]): Answer;
  readonly $connect?: never;
}

/** A transaction of PostgreSQL, as the clients and query builders of Node have it. */
export type Transaction =
  | PgTransaction
  | PostgresJsTransaction
  | DrizzleTransaction
  | KyselyTransaction
  | KnexTransaction
  | PrismaTransaction;
