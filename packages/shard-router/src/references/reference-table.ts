import type { ReadScope } from '@ashlar/replica-failover/executor';
import { VersionConflictError } from '@ashlar/store';
import { mostParameters } from '../clients/sql.ts';
import type { Row } from '../columns/column.ts';
import { InvalidValueError, MixedVersionsError } from '../errors/statements.ts';
import { SelectQuery } from '../queries/select-query.ts';
import type { Shards } from '../queries/shards.ts';
import type { Table } from '../tables/table-of.ts';
import type { Named, PrimaryKeyOf, RowOf, WholeRow } from '../tables/values.ts';
import type { ReferenceChange } from './changes.ts';
import type { KeylessSpec, ReferenceRepair, ReferenceSpec, ReferenceWrite } from './reference.ts';
import type { Replicas } from './replicas.ts';

/** How often a write begins anew since another was first. */
const mostAttempts = 20;

/**
 * A table that each shard has a copy of. A write makes a version, which is decided by the store and brought to all shards; one that cannot be
 * reached is behind until a router repairs it. Reads ask one shard.
 */
export class ReferenceTable<C, F extends ReferenceSpec> {
  readonly #table: Table;
  readonly #replicas: Replicas<C>;
  readonly #shards: Shards<C>;

  constructor(table: Table, replicas: Replicas<C>, shards: Shards<C>) {
    this.#table = table;
    this.#replicas = replicas;
    this.#shards = shards;
  }

  /**
   * Inserts whole rows on all shards. It is tried on one shard first: what the database has against it is thrown, and no version made.
   *
   * @throws InvalidValueError, DuplicateRowError, VersionConflictError or MixedVersionsError when others write all the time; the error of the store,
   *   with its outcome
   */
  async insert(
    rows: WholeRow<KeylessSpec<F>> | readonly WholeRow<KeylessSpec<F>>[],
  ): Promise<ReferenceWrite> {
    return this.#write({ kind: 'insert', rows: this.#rows(rows, this.#table.columns) });
  }

  /** Inserts whole rows, or puts them in the place of those with their primary keys. Otherwise as `insert`. */
  async upsert(
    rows: WholeRow<KeylessSpec<F>> | readonly WholeRow<KeylessSpec<F>>[],
  ): Promise<ReferenceWrite> {
    return this.#write({ kind: 'upsert', rows: this.#rows(rows, this.#table.columns) });
  }

  /** Deletes the rows with these primary keys. Otherwise as `insert`. */
  async delete(
    keys: PrimaryKeyOf<KeylessSpec<F>> | readonly PrimaryKeyOf<KeylessSpec<F>>[],
  ): Promise<ReferenceWrite> {
    return this.#write({ kind: 'delete', rows: this.#rows(keys, this.#table.spec.primaryKey) });
  }

  /** The row with this primary key. */
  async get(
    key: PrimaryKeyOf<KeylessSpec<F>>,
    scope?: ReadScope,
  ): Promise<RowOf<KeylessSpec<F>> | undefined> {
    this.#table.checkPrimaryKey(key);
    const [row] = this.#rows(key, this.#table.spec.primaryKey);
    return this.select()
      .where(row as never)
      .first(scope);
  }

  /**
   * A query of one shard's copy, also `from` of a `join`. It is never older than what this router has written or seen; with `strong`,
   * than what anybody has.
   */
  select<N extends Named<KeylessSpec<F>> = Named<KeylessSpec<F>>>(
    ...columns: readonly N[]
  ): SelectQuery<C, KeylessSpec<F>, RowOf<KeylessSpec<F>, N>> {
    for (const column of columns) this.#table.type(column);
    const query = {
      kind: 'select',
      table: this.#table,
      columns: columns.length === 0 ? this.#table.columns : columns,
      where: [],
      orderBy: [],
      limit: undefined,
    } as const;
    return new SelectQuery(this.#shards, query, true);
  }

  /** The last version, and that of each shard that can be reached. */
  versions(): Promise<{ readonly head: number; readonly shards: Readonly<Record<string, number>> }> {
    return this.#replicas.versions();
  }

  /**
   * Compares the rows of all shards with those of one that has the last version, and makes them equal. Resolves to what differed; rejects when a
   * shard cannot be reached.
   */
  repair(): Promise<readonly ReferenceRepair[]> {
    return this.#replicas.repair();
  }

  async #write(change: ReferenceChange): Promise<ReferenceWrite> {
    const replicas = this.#replicas;
    for (let attempt = 1; ; attempt++) {
      const head = await replicas.heads.read();
      const tried = await replicas.tries(head, change);
      if (tried === undefined) {
        if (attempt < mostAttempts) continue;
        throw new MixedVersionsError(this.#table.name);
      }
      try {
        const next = await replicas.heads.write(head, change);
        const missing = await replicas.bring(next);
        return { version: next.version, count: tried.count, missing };
      } catch (error) {
        // Another write was first: this one may not be possible any more
        if (!(error instanceof VersionConflictError) || attempt >= mostAttempts) throw error;
      }
    }
  }

  #rows(given: object | readonly object[], columns: readonly string[]): readonly Row[] {
    const table = this.#table;
    const rows = (Array.isArray(given) ? given : [given]).map((each: Readonly<Record<string, unknown>>) => {
      for (const column of table.columnsOf(each)) table.type(column);
      return Object.fromEntries(
        columns.map(column => {
          if (each[column] === undefined || (each[column] === null && table.spec.primaryKey.includes(column)))
            throw new InvalidValueError(
              table.name,
              `is on all shards, and is given a row without ${column}: say null`,
            );
          return [column, table.value(column, each[column])];
        }),
      );
    });
    if (rows.length * columns.length > mostParameters)
      throw new InvalidValueError(
        table.name,
        `takes up to ${Math.floor(mostParameters / columns.length)} rows at once`,
      );
    if (new Set(rows.map(row => table.identity(row))).size < rows.length)
      throw new InvalidValueError(table.name, 'is given two rows with one primary key at once');
    return rows;
  }
}
