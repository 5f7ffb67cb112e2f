import { describe } from '@ashlar/core';
import { InvalidQueryError } from '../../errors/statements.ts';
import { ownColumns } from '../../tables/joined-table.ts';
import type { Select } from '../../tables/statement.ts';

/** Columns of the rows of one query, and the columns of another's that equal them. */
export type Pairs<L, R> = { readonly [Column in keyof L & string]?: keyof R & string };

/** @throws InvalidQueryError when the rows have something of this name */
export function checkName(
  name: string,
  { columns, joins = [] }: Select,
  more: readonly { readonly name: string }[],
): void {
  const taken = [...columns, ...[...joins, ...more].map(each => each.name)];
  if (taken.includes(name)) throw new InvalidQueryError(`the rows have ${describe(name)} already`);
}

/** @throws InvalidQueryError when there are none, or they are not selected or cannot be compared */
export function checkEqual(
  what: string,
  left: Select,
  right: Select,
  pairs: readonly (readonly [string, string])[],
): void {
  const { table } = right;
  if (pairs.length === 0)
    throw new InvalidQueryError(`${what} in ${table.name} needs columns that are equal`);
  for (const [column, other] of pairs) {
    for (const [query, name] of [
      [left, column],
      [right, other],
    ] as const) {
      query.table.type(name);
      if (!ownColumns(query.columns, query.joins).includes(name))
        throw new InvalidQueryError(`${what} by ${name} needs it selected from ${query.table.name}`);
    }
    const types = [left.table.spec.columns[column]!, table.spec.columns[other]!];
    const isEqual = types[0] === types[1] || types.every(type => type === 'int4' || type === 'int8');
    if (!isEqual || table.type(other).compare === undefined) {
      throw new InvalidQueryError(
        `${column} is ${types[0]} and ${other} of ${table.name} ${types[1]}: they cannot be compared`,
      );
    }
  }
}
