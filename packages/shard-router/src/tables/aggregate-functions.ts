import type { Value } from '../columns/column.ts';
import { columnOf } from '../columns/column-types.ts';
import { InvalidQueryError } from '../errors/statements.ts';
import { type Moments, noMoments } from './moments.ts';
import type { ColumnType } from './table.ts';
import type { Table } from './table-of.ts';

export type AggregateFunction = 'count' | 'sum' | 'avg' | 'stddev' | 'variance' | 'min' | 'max';

export const aggregateFunctions: readonly AggregateFunction[] = [
  'count',
  'sum',
  'avg',
  'stddev',
  'variance',
  'min',
  'max',
];

/** What a shard is asked so that an aggregate can be merged. `moments`: how many values, their sum, and from degree 2 their squares. */
export type Part =
  | { readonly kind: 'count'; readonly column: string | undefined }
  | { readonly kind: 'extreme'; readonly column: string; readonly which: 'min' | 'max' }
  | { readonly kind: 'moments'; readonly column: string; readonly degree: 1 | 2 };

/** One aggregate of a query: its parts are merged, then it is finished. */
export interface AggregateOf {
  readonly part: Part;
  /** The type of its result. */
  readonly type: ColumnType;
  /** What the part of no rows is. */
  readonly none: Value;
  merge(a: Value, b: Value): Value;
  finish(part: Value): Value;
}

const numbers: readonly ColumnType[] = ['int8', 'int4', 'numeric', 'float8'];
/** PostgreSQL has no least of the others, or only lately. */
const withExtremes: readonly ColumnType[] = [...numbers, 'text', 'timestamptz', 'date'];

/** @throws InvalidQueryError, InvalidValueError */
export function aggregateOf(table: Table, name: AggregateFunction, column: string): AggregateOf {
  if (name === 'count') {
    if (column !== '*') table.type(column);
    const part = { kind: 'count', column: column === '*' ? undefined : column } as const;
    return { part, type: 'int8', none: 0n, merge: (a, b) => a + b, finish: count => count };
  }
  table.type(column);
  const type = table.spec.columns[column]!;
  const fit = name === 'min' || name === 'max' ? withExtremes : numbers;
  if (!fit.includes(type))
    throw new InvalidQueryError(
      `there is no ${name} of ${column}, which is ${type}: it takes ${fit.join(', ')}`,
    );
  if (name === 'min' || name === 'max') return extreme(column, type, name);
  return moment(column, type, name);
}

function extreme(column: string, type: ColumnType, which: 'min' | 'max'): AggregateOf {
  const compare = columnOf(type).compare!;
  const sign = which === 'min' ? 1 : -1;
  const merge = (a: Value, b: Value) => (a === null ? b : b === null || compare(a, b) * sign <= 0 ? a : b);
  return { part: { kind: 'extreme', column, which }, type, none: null, merge, finish: value => value };
}

function moment(column: string, of: ColumnType, name: 'sum' | 'avg' | 'stddev' | 'variance'): AggregateOf {
  const sumType = of === 'int4' ? 'int8' : 'numeric';
  const type = of === 'float8' ? 'float8' : name === 'sum' ? sumType : 'numeric';
  const finish = (moments: Moments) => {
    const value = moments[name]();
    return value !== null && type === 'int8' ? BigInt(value) : value;
  };
  const part = { kind: 'moments', column, degree: name === 'sum' || name === 'avg' ? 1 : 2 } as const;
  return { part, type, none: noMoments(of), merge: (a: Moments, b: Moments) => a.plus(b), finish };
}
