import type { Row, Value } from '../columns/column.ts';
import type { Part } from '../tables/aggregate-functions.ts';
import { type Moments, noMoments } from '../tables/moments.ts';
import { byOrder } from '../tables/order.ts';
import { type Aggregate, groupOrder, partName } from '../tables/statement.ts';
import type { Table } from '../tables/table-of.ts';
import { passes } from './select.ts';

/** The groups of these rows, as a database returns them. */
export function aggregate(query: Aggregate, rows: readonly Row[]): readonly Row[] {
  const { table, groupBy, parts } = query;
  const groups = new Map<string, Record<string, Value>>();
  for (const row of rows) {
    if (!passes(query, row)) continue;
    const id = JSON.stringify(
      groupBy.map(column => (row[column] === null ? null : table.type(column).identity(row[column]))),
    );
    let group = groups.get(id);
    if (group === undefined) {
      group = Object.fromEntries(groupBy.map(column => [column, row[column]]));
      for (const [i, part] of parts.entries()) group[partName(i)] = startOf(table, part);
      groups.set(id, group);
    }
    for (const [i, part] of parts.entries()) group[partName(i)] = step(table, part, group[partName(i)], row);
  }
  return [...groups.values()].sort(byOrder(table, groupOrder(query)));
}

function startOf(table: Table, part: Part): Value {
  if (part.kind === 'count') return 0n;
  return part.kind === 'extreme' ? null : noMoments(table.spec.columns[part.column]!);
}

function step(table: Table, part: Part, so: Value, row: Row): Value {
  const value = part.column === undefined ? true : row[part.column];
  if (value === null) return so;
  switch (part.kind) {
    case 'count':
      return so + 1n;
    case 'moments':
      return (so as Moments).with(value);
    case 'extreme': {
      const order = so === null ? 0 : table.type(part.column).compare!(so, value);
      return so !== null && (part.which === 'min' ? order <= 0 : order >= 0) ? so : value;
    }
  }
}
