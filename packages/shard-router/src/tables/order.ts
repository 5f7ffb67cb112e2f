import type { Row, Value } from '../columns/column.ts';
import type { Order } from './statement.ts';
import type { Table } from './table-of.ts';

type Compare = (a: Value, b: Value) => number;

/** How texts compare in a collation of the databases, by its name. */
export type Collations = (collation: string) => Compare;

/**
 * Compares rows of a table as PostgreSQL does for this ORDER BY.
 *
 * @param collations those of the order, where it has any but `C`
 */
export function byOrder(
  table: Table,
  orderBy: readonly Order[],
  collations?: Collations,
): (a: Row, b: Row) => number {
  return compareBy(orderBy, column => table.type(column).compare!, collations);
}

/** The same, of rows whose columns compare so. */
export function compareBy(
  orderBy: readonly Order[],
  comparisonOf: (column: string) => Compare,
  collations?: Collations,
): (a: Row, b: Row) => number {
  const steps = orderBy.map(({ column, descending, nulls, collation }) => ({
    column,
    compare: collation === undefined ? comparisonOf(column) : collations!(collation),
    sign: descending ? -1 : 1,
    nullSign: nulls === 'first' ? -1 : 1,
  }));
  return (a, b) => {
    for (const { column, compare, sign, nullSign } of steps) {
      const [left, right] = [a[column], b[column]];
      if (left === null || right === null) {
        if (left !== right) return left === null ? nullSign : -nullSign;
        continue;
      }
      const order = compare(left, right);
      if (order !== 0) return order * sign;
    }
    return 0;
  };
}
