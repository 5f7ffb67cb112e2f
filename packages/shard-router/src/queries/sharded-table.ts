import type { ReadScope, Scope, TransactionScope } from '@ashlar/replica-failover/executor';
import { execute } from '../clients/client.ts';
import { mostParameters } from '../clients/sql.ts';
import type { Row } from '../columns/column.ts';
import { InvalidQueryError, InvalidValueError, ShardKeyUpdateError } from '../errors/statements.ts';
import type { Indexes } from '../indexes/index.ts';
import { IndexAudit, type IndexReport } from '../indexes/index-audit.ts';
import { checkScope } from '../running/scopes.ts';
import type { Insert } from '../tables/statement.ts';
import type { TableSpec } from '../tables/table.ts';
import type { Table } from '../tables/table-of.ts';
import type { Changed, IndexValues, KeyOf, Named, NewRow, PrimaryKeyOf, RowOf } from '../tables/values.ts';
import { AggregateQuery } from './aggregate-query.ts';
import { type Aggregates, aggregationOf, type ResultsOf } from './aggregation.ts';
import { findBy } from './finding.ts';
import { SelectQuery } from './select-query.ts';
import { oneShard, type Shards } from './shards.ts';
import { moveRow } from './transacting/row-move.ts';
import { indexedWrites, WriteQuery } from './write-query.ts';

/**
 * A table whose rows lie on the shards. What is asked is data, not SQL: it runs unchanged on shards in memory, PGlite and PostgreSQL.
 * The shard key in the values or the conditions says which shard is asked.
 */
export class ShardedTable<C, S extends TableSpec> {
  readonly #table: Table;
  readonly #shards: Shards<C>;
  readonly #indexes: Indexes | undefined;

  constructor(table: Table, shards: Shards<C>, indexes?: Indexes) {
    this.#table = table;
    this.#shards = shards;
    this.#indexes = indexes;
  }

  /**
   * Inserts a row, or several that are on one shard, in one statement. Resolves to their number.
   *
   * @throws InvalidValueError, InvalidShardKeyError (also of a null), CrossShardError before anything is sent
   * @throws DuplicateRowError when such a row is there
   */
  insert(rows: NewRow<S> | readonly NewRow<S>[], scope?: Scope): Promise<number> {
    return this.#insert(rows, 'fail', scope);
  }

  /** Inserts, or sets the given columns of rows with this primary key. Otherwise as `insert`. */
  upsert(rows: NewRow<S> | readonly NewRow<S>[], scope?: Scope): Promise<number> {
    return this.#insert(rows, 'update', scope);
  }

  /** The row with this primary key. @throws InvalidValueError, InvalidShardKeyError */
  async get(primaryKey: PrimaryKeyOf<S>, scope?: ReadScope): Promise<RowOf<S> | undefined> {
    this.#table.checkPrimaryKey(primaryKey);
    return this.select()
      .where(primaryKey as never)
      .first(scope);
  }

  /**
   * The rows with these values in an index, in any order: one at most, where it is unique. The shard of the values is asked, and then those of the
   * rows.
   *
   * @throws InvalidQueryError when they are more than a thousand
   */
  async findBy<I extends keyof S['indexes'] & string>(
    index: I,
    values: IndexValues<S, I>,
    scope?: ReadScope,
  ): Promise<readonly RowOf<S>[]> {
    checkScope('read', scope);
    if (this.#indexes === undefined) throw new InvalidValueError(this.#table.name, 'has no indexes');
    return findBy(this.#shards, this.#indexes.get(index), this.#values(values), scope) as Promise<
      readonly RowOf<S>[]
    >;
  }

  /**
   * Compares the rows with the indexes of the table, and puts right what somebody has written past them. Takes its time: it reads everything.
   */
  async checkIndexes(): Promise<IndexReport> {
    if (this.#indexes === undefined) throw new InvalidValueError(this.#table.name, 'has no indexes');
    if (this.#shards.isTransaction)
      throw new InvalidQueryError('the indexes of a table are not checked within a transaction');
    return new IndexAudit(this.#shards, this.#indexes).check();
  }

  /** A query for these columns. Default: all. */
  select<N extends Named<S> = Named<S>>(...columns: readonly N[]): SelectQuery<C, S, RowOf<S, N>> {
    for (const column of columns) this.#table.type(column);
    const query = {
      kind: 'select',
      table: this.#table,
      columns: columns.length === 0 ? this.#table.columns : columns,
      where: [],
      orderBy: [],
      limit: undefined,
    } as const;
    return new SelectQuery(this.#shards, query, false);
  }

  /**
   * Aggregates of the rows, by names of your own: `{ orders: { count: '*' }, total: { sum: 'total' } }`. They are exact as those of one
   * PostgreSQL, of `float8` but for rounding.
   *
   * @throws InvalidQueryError, InvalidValueError
   */
  aggregate<A extends Aggregates<S>>(aggregates: A): AggregateQuery<C, S, ResultsOf<S, A>> {
    return new AggregateQuery(this.#shards, aggregationOf(this.#table, aggregates), false);
  }

  /** Sets columns of the rows that `where` says. @throws InvalidValueError, ShardKeyUpdateError */
  update(set: Changed<S>): WriteQuery<C, S> {
    const values = this.#values(set);
    const key = this.#table.spec.key.find(column => Object.hasOwn(values, column));
    if (key !== undefined) throw new ShardKeyUpdateError(this.#table.name, key);
    if (Object.keys(values).length === 0)
      throw new InvalidValueError(this.#table.name, 'is updated with no columns');
    return new WriteQuery(
      this.#shards,
      { kind: 'update', table: this.#table, set: values, where: [] },
      false,
      this.#indexes,
    );
  }

  /**
   * Gives the row with this primary key another shard key: deletes it, and inserts it where that is, in one transaction, for which the router needs
   * `twoPhase` if that is another shard. Within a transaction it is part of it. Resolves to whether the row was there.
   *
   * Its entries in indexes move with it.
   *
   * @throws InvalidQueryError for a table with columns that the spec does not name, or with foreign keys to it that cascade
   * @throws DuplicateRowError when such a row is there; TwoPhaseUnavailableError, IndexBusyError
   */
  async moveRow(primaryKey: PrimaryKeyOf<S>, to: KeyOf<S>, scope?: TransactionScope): Promise<boolean> {
    const table = this.#table;
    const moved = { table, indexes: this.#indexes };
    const { key, primaryKey: names } = table.spec;
    const from = this.#newRow(pick(table, primaryKey, names));
    const after = { ...from, ...this.#values(pick(table, to, key)) };
    const keys = [from, after].map(row => table.keyOf(row));
    for (const each of keys) this.#shards.routes().of(each);
    if (table.identity(from) === table.identity(after))
      return (await this.get(primaryKey, scope)) !== undefined;
    if (this.#shards.together === undefined) return moveRow(this.#shards, moved, from, after);
    return this.#shards.together(keys, shards => moveRow(shards, moved, from, after), scope);
  }

  /** Deletes the rows that `where` says. */
  delete(): WriteQuery<C, S> {
    const statement = { kind: 'delete', table: this.#table, where: [] } as const;
    return new WriteQuery(this.#shards, statement, false, this.#indexes);
  }

  async #insert(
    given: object | readonly object[],
    onConflict: Insert['onConflict'],
    scope?: Scope,
  ): Promise<number> {
    checkScope('write', scope);
    const table = this.#table;
    const rows = (Array.isArray(given) ? given : [given]).map(row => this.#newRow(row));
    if (rows.length === 0) return 0;
    if (rows.length * table.columns.length > mostParameters) {
      const most = Math.floor(mostParameters / table.columns.length);
      throw new InvalidValueError(table.name, `takes up to ${most} rows at once, got ${rows.length}`);
    }
    if (new Set(rows.map(row => table.identity(row))).size < rows.length) {
      throw new InvalidValueError(table.name, 'is given two rows with one primary key at once');
    }
    const keys = rows.map(row => table.keyOf(row));
    oneShard(
      this.#shards.routes(),
      keys,
      `an insert into ${table.name}`,
      'insert the rows of each shard by themselves',
    );
    const statement = { kind: 'insert', table, rows, onConflict } as const;
    if (this.#indexes !== undefined) {
      const writes = indexedWrites(this.#shards, this.#indexes);
      return writes.insert(
        { ...statement, rows: rows.map(row => this.#withIndexed(row, onConflict)) },
        scope,
      );
    }
    return this.#shards.on(keys).write(async client => (await execute(client, statement)).count, scope);
  }

  #newRow(given: object): Row {
    const row = this.#values(given);
    const { primaryKey, key } = this.#table.spec;
    const missing = primaryKey.find(column => !key.includes(column) && (row[column] ?? null) === null);
    if (missing === undefined) return row;
    throw new InvalidValueError(
      this.#table.name,
      `is given a row without ${missing}, which is in its primary key`,
    );
  }

  /** Of an index, what is left out is null, and not what the database makes of it. */
  #withIndexed(row: Row, onConflict: Insert['onConflict']): Row {
    const columns = this.#indexes!.all.flatMap(index => index.columns);
    const missing = columns.filter(column => row[column] === undefined);
    if (missing.length === 0) return row;
    if (onConflict === 'fail')
      return Object.assign(
        Object.create(null),
        row,
        Object.fromEntries(missing.map(column => [column, null])),
      );
    throw new InvalidValueError(
      this.#table.name,
      `is given a row to upsert without ${missing[0]}, which is indexed`,
    );
  }

  #values(given: object): Row {
    // What every object has, as `constructor`, is no value that was given
    const row: Record<string, unknown> = Object.create(null);
    for (const column of this.#table.columnsOf(given))
      row[column] = this.#table.value(column, given[column as never]);
    return row;
  }
}

/** These columns alone. @throws InvalidValueError for others */
function pick(table: Table, given: object, columns: readonly string[]): object {
  const other = Object.keys(given).find(column => !columns.includes(column));
  if (other === undefined && columns.every(column => Object.hasOwn(given, column))) return given;
  throw new InvalidValueError(
    table.name,
    `is given ${Object.keys(given).join(', ') || 'nothing'}, where ${columns.join(', ')} are meant`,
  );
}
