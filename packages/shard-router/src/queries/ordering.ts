import { describe } from '@ashlar/core';
import { InvalidQueryError } from '../errors/statements.ts';
import { joinedColumn } from '../tables/joined-table.ts';
import type { Join, Order } from '../tables/statement.ts';
import type { ColumnType } from '../tables/table.ts';
import type { Table } from '../tables/table-of.ts';

/** How a column orders. */
export interface OrderOptions {
  /** Default: `asc`. */
  readonly direction?: 'asc' | 'desc' | undefined;
  /** Default: as PostgreSQL, `last` for `asc` and `first` for `desc`. */
  readonly nulls?: 'first' | 'last' | undefined;
  /**
   * Of a text: the name of a collation that all shards have, as `de-x-icu`, or `default` for that of their databases. Shards in memory have
   * only `C`, the default.
   */
  readonly collation?: string | undefined;
}

/** @throws InvalidQueryError, InvalidValueError */
export function orderOf(table: Table, column: string, how: 'asc' | 'desc' | OrderOptions): Order {
  if (table.type(column).compare !== undefined) return orderWith(column, table.spec.columns[column]!, how);
  throw new InvalidQueryError(
    `${column} of ${table.name} is ${table.spec.columns[column]}, which has no order here`,
  );
}

/** Bytes that PostgreSQL keeps of a name. */
const longest = 63;

/** @throws InvalidQueryError */
export function orderWith(column: string, type: ColumnType, how: 'asc' | 'desc' | OrderOptions): Order {
  const { direction = 'asc', nulls, collation = 'C' } = typeof how === 'string' ? { direction: how } : how;
  if (direction !== 'asc' && direction !== 'desc') {
    throw new InvalidQueryError(`an order is asc or desc, got ${describe(direction)}`);
  }
  if (nulls !== undefined && nulls !== 'first' && nulls !== 'last') {
    throw new InvalidQueryError(`nulls are first or last, got ${describe(nulls)}`);
  }
  const descending = direction === 'desc';
  const order = { column, descending, nulls: nulls ?? (descending ? 'first' : 'last') } as const;
  if (collation === 'C') return order;
  if (typeof collation !== 'string' || !/^[^"\0]+$/.test(collation) || Buffer.byteLength(collation) > longest)
    throw new InvalidQueryError(
      `a collation is one of the databases by its name, got ${describe(collation)}`,
    );
  if (type === 'text') return { ...order, collation };
  throw new InvalidQueryError(`${column} is ${type}, which has no collation: leave it out`);
}

/**
 * The order with the primary keys at its end, so that no two rows are equal in it. A column that is there again says nothing new, but after
 * a collation that may take different texts for equal.
 */
export function withPrimaryKey(
  table: Table,
  orderBy: readonly Order[],
  joins: readonly Join[] = [],
): readonly Order[] {
  const others = joins.flatMap(join => join.table.spec.primaryKey.map(column => joinedColumn(join, column)));
  const keys = [...table.spec.primaryKey, ...others].map(
    (column): Order => ({ column, descending: false, nulls: 'last' }),
  );
  const whole: Order[] = [];
  for (const order of [...orderBy, ...keys]) {
    const { column, collation } = order;
    const saysNothing = whole.some(
      each => each.column === column && (each.collation === undefined || each.collation === collation),
    );
    if (!saysNothing) whole.push(order);
  }
  return whole;
}
