import type { Row } from '../../columns/column.ts';
import { joinedColumn, ownColumns } from '../../tables/joined-table.ts';
import type { Select } from '../../tables/statement.ts';

/** The rows as a program wants them: with its columns alone, and each joined row as an object of its own, null where there is none. */
export function nested({ columns, joins = [] }: Select, rows: readonly Row[]): readonly Row[] {
  const own = ownColumns(columns, joins);
  const first = rows[0];
  if (first === undefined || (joins.length === 0 && Object.keys(first).length === own.length)) return rows;
  const others = joins.map(join => ({
    name: join.name,
    key: joinedColumn(join, join.table.spec.primaryKey[0]!),
    columns: join.columns.map(column => [column, joinedColumn(join, column)] as const),
  }));
  return rows.map(row => {
    const out: Record<string, unknown> = {};
    for (const column of own) out[column] = row[column];
    for (const { name, key, columns: named } of others) {
      const isThere = row[key] !== null;
      out[name] = isThere ? Object.fromEntries(named.map(([column, joined]) => [column, row[joined]])) : null;
    }
    return out;
  });
}
