import { describe } from '@ashlar/core';
import { InvalidQueryError } from '../errors/statements.ts';
import { joinedColumn } from '../tables/joined-table.ts';
import type { Join, Order } from '../tables/statement.ts';
import type { Table } from '../tables/table-of.ts';

/** How a column orders. */
export interface OrderOptions {
  /** Default: `asc`. */
  readonly direction?: 'asc' | 'desc' | undefined;
  /** Default: as PostgreSQL, `last` for `asc` and `first` for `desc`. */
  readonly nulls?: 'first' | 'last' | undefined;
  /** Of a text. Others than `C` are refused: JavaScript does not know in which order the database has them. */
  readonly collation?: 'C' | undefined;
}

/** @throws InvalidQueryError, InvalidValueError */
export function orderOf(table: Table, column: string, how: 'asc' | 'desc' | OrderOptions): Order {
  if (table.type(column).compare !== undefined) return orderWith(column, how);
  throw new InvalidQueryError(
    `${column} of ${table.name} is ${table.spec.columns[column]}, which has no order here`,
  );
}

/** @throws InvalidQueryError */
export function orderWith(column: string, how: 'asc' | 'desc' | OrderOptions): Order {
  const { direction = 'asc', nulls, collation = 'C' } = typeof how === 'string' ? { direction: how } : how;
  if (direction !== 'asc' && direction !== 'desc') {
    throw new InvalidQueryError(`an order is asc or desc, got ${describe(direction)}`);
  }
  if (nulls !== undefined && nulls !== 'first' && nulls !== 'last') {
    throw new InvalidQueryError(`nulls are first or last, got ${describe(nulls)}`);
  }
  if (collation !== 'C') {
    throw new InvalidQueryError(
      `rows of several shards cannot be merged in the collation ${describe(collation)}: leave it out, for COLLATE "C"`,
    );
  }
  const descending = direction === 'desc';
  return { column, descending, nulls: nulls ?? (descending ? 'first' : 'last') };
}

/** The order with the primary keys at its end, so that no two rows are equal in it. A column that is there again says nothing new. */
export function withPrimaryKey(
  table: Table,
  orderBy: readonly Order[],
  joins: readonly Join[] = [],
): readonly Order[] {
  const byColumn = new Map<string, Order>();
  for (const order of orderBy) if (!byColumn.has(order.column)) byColumn.set(order.column, order);
  const others = joins.flatMap(join => join.table.spec.primaryKey.map(column => joinedColumn(join, column)));
  for (const column of [...table.spec.primaryKey, ...others]) {
    if (!byColumn.has(column)) byColumn.set(column, { column, descending: false, nulls: 'last' });
  }
  return [...byColumn.values()];
}
