import { joinedColumn, ownColumns } from '../tables/joined-table.ts';
import type { Condition, Order, Owned, Query, Select } from '../tables/statement.ts';
import type { Table } from '../tables/table-of.ts';

/** What has conditions on rows. */
export interface Filter {
  readonly table: Table;
  readonly where: readonly Condition[];
  readonly owned?: Owned | undefined;
}

export function filter(
  { table, where, owned }: Filter,
  values: string[],
  more: readonly string[] = [],
): string {
  const conditions = where.map(condition => conditionOf(table, condition, values));
  if (owned !== undefined) conditions.push(ownedOf(table, owned));
  conditions.push(...more);
  return conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
}

/** Where the rows come from: the table, or the pairs of a join, of whose tables the planner makes one statement. */
export function sourceOf({ table, joins = [] }: Query, values: string[]): string {
  if (joins.length === 0) return nameOf(table);
  const out = ownColumns(table.columns, joins).map(column => `t.${quoted(column)}`);
  let from = `${nameOf(table)} AS t`;
  for (const [n, join] of joins.entries()) {
    for (const column of join.table.columns)
      out.push(`j${n}.${quoted(column)} AS ${quoted(joinedColumn(join, column))}`);
    const on = join.on.map(([left, right]) => `t.${quoted(left)} = j${n}.${quoted(right)}`);
    const other = `(SELECT * FROM ${nameOf(join.table)}${filter(join, values)}) AS j${n}`;
    from += ` ${join.isOuter ? 'LEFT ' : ''}JOIN ${other} ON ${on.join(' AND ')}`;
  }
  return `(SELECT ${out.join(', ')} FROM ${from}) AS pairs`;
}

/** Rows that are behind `after` in the order: in its first column, or equal in that and behind in the next, and so on. */
export function behind({ table, orderBy, after }: Select, values: string[]): readonly string[] {
  if (after === undefined) return [];
  const alternatives: string[] = [];
  const equal: string[] = [];
  for (const { column, descending, nulls, collation } of orderBy) {
    const value = after[column];
    const name = collated(table, column, collation);
    if (value === null) {
      if (nulls === 'first') alternatives.push([...equal, `${quoted(column)} IS NOT NULL`].join(' AND '));
      equal.push(`${quoted(column)} IS NULL`);
      continue;
    }
    const each = parameter(table, column, value, values);
    const isBehind = `${name} ${descending ? '<' : '>'} ${each}`;
    const orNull = nulls === 'last' ? `(${isBehind} OR ${quoted(column)} IS NULL)` : isBehind;
    alternatives.push([...equal, orNull].join(' AND '));
    // In the collation of the order, which may take different texts for equal, or be stricter than that of the column
    equal.push(`${name} = ${each}`);
  }
  return [alternatives.length === 0 ? 'false' : `(${alternatives.map(each => `(${each})`).join(' OR ')})`];
}

function conditionOf(table: Table, condition: Condition, values: string[]): string {
  const { column } = condition;
  switch (condition.op) {
    case 'is null':
      return `${quoted(column)} IS NULL`;
    case 'is not null':
      return `${quoted(column)} IS NOT NULL`;
    case 'in': {
      const each = condition.value.map(value => parameter(table, column, value, values));
      return each.length === 0 ? 'false' : `${quoted(column)} IN (${each.join(', ')})`;
    }
    case '=':
    case '<>':
      // Whether texts are equal is the same in all collations that a key may have
      return `${quoted(column)} ${condition.op} ${parameter(table, column, condition.value, values)}`;
    default:
      return `${collated(table, column)} ${condition.op} ${parameter(table, column, condition.value, values)}`;
  }
}

/**
 * The rows of a shard that the map gives it: a move leaves copies of others there for a while. Said so that the planner takes nearly
 * all rows to pass, as they do. Of a BETWEEN it would guess that one in 200 does, and not use an index that has the order.
 */
function ownedOf(table: Table, { slots, slices }: Owned): string {
  if (slices.length === 0) return 'false';
  return `CASE WHEN ${slots.amongTableSql(table.name, table.spec.key.map(quoted), slices)} THEN 1 ELSE 0 END <> 0`;
}

export function parameter(table: Table, column: string, value: unknown, values: string[]): string {
  if (value === undefined) return 'DEFAULT';
  if (value === null) return 'NULL';
  const type = table.type(column);
  return type.sqlIn(`$${values.push(type.toText(value))}`);
}

export function nameOf(table: Table): string {
  return table.name.split('.').map(quoted).join('.');
}

/** Names with a quote in them are refused by the spec's check. */
export function quoted(name: string): string {
  return `"${name}"`;
}

export function orderOf(table: Table, { column, descending, nulls, collation }: Order): string {
  return `${collated(table, column, collation)}${descending ? ' DESC' : ''} NULLS ${nulls.toUpperCase()}`;
}

/** A text is in the order of its code points unless a collation is named, whatever collation or type its column has: `citext` has an order of its own. */
export function collated(table: Table, column: string, collation = 'C'): string {
  return table.spec.columns[column] === 'text'
    ? `${quoted(column)}::text COLLATE ${quoted(collation)}`
    : quoted(column);
}
