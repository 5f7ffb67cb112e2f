import { describe } from '@ashlar/core';
import { InvalidQueryError } from '../errors/statements.ts';
import {
  type AggregateFunction,
  type AggregateOf,
  aggregateFunctions,
  aggregateOf,
} from '../tables/aggregate-functions.ts';
import type { Comparison, Condition, Join, Order } from '../tables/statement.ts';
import type { TableSpec } from '../tables/table.ts';
import type { Table } from '../tables/table-of.ts';
import type { Named, Values } from '../tables/values.ts';

/** An aggregate of a column, or `{ count: '*' }`. `stddev` and `variance` are those of a sample. */
export type AggregateSpec<S extends TableSpec> =
  | { readonly count: Named<S> | '*' }
  | { readonly sum: Named<S> }
  | { readonly avg: Named<S> }
  | { readonly stddev: Named<S> }
  | { readonly variance: Named<S> }
  | { readonly min: Named<S> }
  | { readonly max: Named<S> };

export type Aggregates<S extends TableSpec> = Readonly<Record<string, AggregateSpec<S>>>;

type TypeOf<S extends TableSpec, N> = S['columns'][N & Named<S>];
type Sum<T> = T extends 'float8' ? number : T extends 'int4' ? bigint : string;
type Mean<T> = T extends 'float8' ? number : string;

/** What the aggregates are, by their names: of no values all are null, but `count`. */
export type ResultsOf<S extends TableSpec, A> = {
  readonly [N in keyof A]: A[N] extends { readonly count: string }
    ? bigint
    : A[N] extends { readonly sum: infer C }
      ? Sum<TypeOf<S, C>> | null
      : A[N] extends { readonly min: infer C } | { readonly max: infer C }
        ? Values[TypeOf<S, C> & keyof Values] | null
        : A[N] extends
              | { readonly avg: infer C }
              | { readonly stddev: infer C }
              | { readonly variance: infer C }
          ? Mean<TypeOf<S, C>> | null
          : never;
};

/** A condition on an aggregate, after the merge. */
export interface Having {
  readonly name: string;
  readonly op: Comparison;
  readonly value: unknown;
}

/** A query of aggregates. */
export interface Aggregation {
  readonly table: Table;
  readonly where: readonly Condition[];
  readonly joins?: readonly Join[] | undefined;
  readonly groupBy: readonly string[];
  readonly aggregates: readonly (readonly [name: string, of: AggregateOf])[];
  readonly having: readonly Having[];
  /** By aggregates and columns of the groups. */
  readonly orderBy: readonly Order[];
  readonly limit: number | undefined;
}

/** @throws InvalidQueryError, InvalidValueError */
export function aggregationOf(table: Table, specs: Readonly<Record<string, object>>): Aggregation {
  const aggregates = Object.entries(specs).map(
    ([name, spec]) => [name, readSpec(table, name, spec)] as const,
  );
  if (aggregates.length === 0) throw new InvalidQueryError(`no aggregates of ${table.name} are asked for`);
  return { table, where: [], groupBy: [], aggregates, having: [], orderBy: [], limit: undefined };
}

function readSpec(table: Table, name: string, spec: object): AggregateOf {
  const [[fn, column] = [], ...more] = Object.entries(spec ?? {}) as [string?, string?][];
  if (
    more.length === 0 &&
    typeof column === 'string' &&
    (aggregateFunctions as readonly unknown[]).includes(fn)
  ) {
    return aggregateOf(table, fn as AggregateFunction, column);
  }
  throw new InvalidQueryError(
    `the aggregate ${describe(name)} is one of ${aggregateFunctions.join(', ')} with a column, as { sum: 'total' }, got ${describe(spec)}`,
  );
}
