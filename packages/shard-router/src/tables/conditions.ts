import { describe } from '@ashlar/core';
import { InvalidValueError } from '../errors/statements.ts';
import type { Comparison, Condition } from './statement.ts';
import type { Table } from './table-of.ts';

/** What `where` takes. */
export type WhereArguments =
  | readonly [equal: Readonly<Record<string, unknown>>]
  | readonly [column: string, op: 'is null' | 'is not null']
  | readonly [column: string, op: Comparison | 'in', value: unknown];

const comparisons: readonly unknown[] = ['=', '<>', '<', '<=', '>', '>='];

/** Values that an `in` may list: each is a parameter of the statement. */
const longestList = 1_000;

/** The conditions in the form of a statement. @throws InvalidValueError */
export function conditionsOf(table: Table, where: WhereArguments): readonly Condition[] {
  if (typeof where[0] === 'object' && where[0] !== null) {
    return Object.entries(where[0]).map(([column, value]) =>
      value === null ? nullness(table, column, 'is null') : comparison(table, column, '=', value),
    );
  }
  const [column, op, value] = where as readonly [string, string, unknown];
  if (op === 'is null' || op === 'is not null') return [nullness(table, column, op)];
  if (op === 'in') return [oneOf(table, column, value)];
  if (comparisons.includes(op)) return [comparison(table, column, op as Comparison, value)];
  throw new InvalidValueError(
    table.name,
    `knows no comparison ${describe(op)}: there are ${comparisons.join(', ')}, in, is null, is not null`,
  );
}

function nullness(table: Table, column: string, op: 'is null' | 'is not null'): Condition {
  table.type(column);
  return { column, op };
}

function oneOf(table: Table, column: string, values: unknown): Condition {
  if (!Array.isArray(values))
    throw new InvalidValueError(table.name, `wants a list for ${column} in, got ${describe(values)}`);
  if (values.length > longestList) {
    throw new InvalidValueError(
      table.name,
      `takes up to ${longestList} values for ${column} in, got ${values.length}: ask several times`,
    );
  }
  const type = table.type(column);
  const distinct = new Map(values.map(value => [value, comparable(table, column, value)]));
  return {
    column,
    op: 'in',
    value: [...new Map([...distinct.values()].map(each => [type.identity(each), each])).values()],
  };
}

function comparison(table: Table, column: string, op: Comparison, value: unknown): Condition {
  return { column, op, value: comparable(table, column, value) };
}

function comparable(table: Table, column: string, value: unknown): unknown {
  if (table.type(column).compare === undefined) {
    throw new InvalidValueError(
      table.name,
      `cannot compare ${column}, which is ${table.spec.columns[column]}: only is null and is not null`,
    );
  }
  if (value === null) {
    throw new InvalidValueError(
      table.name,
      `compares ${column} with null, which no row passes in SQL: say is null`,
    );
  }
  return table.value(column, value);
}
