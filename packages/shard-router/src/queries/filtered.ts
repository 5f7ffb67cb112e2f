import { conditionsOf, type WhereArguments } from '../tables/conditions.ts';
import type { Comparison, Condition } from '../tables/statement.ts';
import type { TableSpec } from '../tables/table.ts';
import type { Table } from '../tables/table-of.ts';
import type { Equalities, InputOf, Named } from '../tables/values.ts';
import { Unawaited } from './unawaited.ts';

/** What has conditions on the rows of a table. `Q` is what another condition makes of it. */
export abstract class Filtered<S extends TableSpec, Q> extends Unawaited {
  /** Rows must meet this too: columns that equal values (null is `is null`), or a comparison. @throws InvalidValueError */
  where(equal: Equalities<S>): Q;
  where(column: Named<S>, op: 'is null' | 'is not null'): Q;
  where<N extends Named<S>>(column: N, op: Comparison, value: InputOf<S, N>): Q;
  where<N extends Named<S>>(column: N, op: 'in', values: readonly InputOf<S, N>[]): Q;
  where(...args: unknown[]): Q {
    const { table, where } = this.conditions;
    return this.filteredBy([...where, ...conditionsOf(table, args as unknown as WhereArguments)]);
  }

  /** The table, and the conditions so far. */
  protected abstract get conditions(): { readonly table: Table; readonly where: readonly Condition[] };

  /** The same with these conditions. */
  protected abstract filteredBy(where: readonly Condition[]): Q;
}
