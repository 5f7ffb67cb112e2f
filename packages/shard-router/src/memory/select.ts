import type { Row, Value } from '../columns/column.ts';
import { CollationError } from '../errors/statements.ts';
import { joinedColumn, ownColumns } from '../tables/joined-table.ts';
import { byOrder } from '../tables/order.ts';
import {
  type Condition,
  collationOf,
  holds,
  type Join,
  type Owned,
  type Query,
  type Select,
} from '../tables/statement.ts';
import type { Table } from '../tables/table-of.ts';

/** The rows that a query returns, out of these. */
export function select(query: Select, rows: readonly Row[]): readonly Row[] {
  const { table, orderBy, after, columns, limit } = query;
  const collation = collationOf(orderBy);
  if (collation !== undefined) throw new CollationError(collation, 'is not known to shards in memory');
  const compare = byOrder(table, orderBy);
  const isBehind = (row: Row) => after === undefined || compare(row, after) > 0;
  const found = rows.filter(row => passes(query, row) && isBehind(row)).sort(compare);
  const wanted = limit === undefined ? found : found.slice(0, limit);
  return wanted.map(row => Object.fromEntries(columns.map(name => [name, row[name]])));
}

/** The rows that a query is about: these, or their pairs with those of other tables. @param rowsOf all rows of another table */
export function sourceOf(
  { table, joins = [], where }: Query,
  rows: readonly Row[],
  rowsOf: (table: Table) => readonly Row[],
): readonly Row[] {
  if (joins.length === 0) return rows;
  const own = new Set(ownColumns(table.columns, joins));
  const filter = { table, where: where.filter(({ column }) => own.has(column)) };
  const found = rows.filter(row => passes(filter, row));
  return joins.reduce<readonly Row[]>((so, join) => joined(so, join, rowsOf(join.table)), found);
}

/** Each row with each that it equals. */
function joined(rows: readonly Row[], join: Join, others: readonly Row[]): readonly Row[] {
  const { table, on, isOuter } = join;
  const idOf = (row: Row, side: 0 | 1) => {
    const values = on.map(pair => row[pair[side]]);
    if (values.includes(null)) return undefined;
    return JSON.stringify(values.map((value, i) => table.type(on[i]![1]).identity(value)));
  };
  const byId = new Map<string, Row[]>();
  for (const other of others) {
    const id = passes(join, other) ? idOf(other, 1) : undefined;
    if (id === undefined) continue;
    const found = byId.get(id);
    if (found === undefined) byId.set(id, [other]);
    else found.push(other);
  }
  const none = Object.fromEntries(table.columns.map(column => [column, null]));
  return rows.flatMap(row => {
    const id = idOf(row, 0);
    const found = (id === undefined ? undefined : byId.get(id)) ?? (isOuter ? [none] : []);
    return found.map(other => ({
      ...row,
      ...Object.fromEntries(table.columns.map(column => [joinedColumn(join, column), other[column]])),
    }));
  });
}

interface Filter {
  readonly table: Table;
  readonly where: readonly Condition[];
  readonly owned?: Owned | undefined;
}

/** Whether the row meets all conditions. */
export function passes({ table, where, owned }: Filter, row: Row): boolean {
  return (
    where.every(condition => meets(table, row, condition)) && (owned === undefined || owns(table, owned, row))
  );
}

function owns(table: Table, { slots, slices }: Owned, row: Row): boolean {
  const slot = slots.of(table.keyOf(row));
  return slices.some(({ from, to }) => from <= slot && slot < to);
}

function meets(table: Table, row: Row, condition: Condition): boolean {
  const value = row[condition.column];
  if (condition.op === 'is null') return value === null;
  if (value === null) return false;
  if (condition.op === 'is not null') return true;
  const { compare } = table.type(condition.column);
  if (condition.op === 'in')
    return condition.value.some((each: Value) => each !== null && compare!(value, each) === 0);
  if (condition.value === null) return false;
  return holds(compare!(value, condition.value), condition.op);
}
