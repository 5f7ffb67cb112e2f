import { describe } from '@ashlar/core';
import type { Row, Value } from '../columns/column.ts';
import { columnOf } from '../columns/column-types.ts';
import { InvalidQueryError } from '../errors/statements.ts';
import { byOrder, compareBy } from '../tables/order.ts';
import {
  type Aggregate,
  type Comparison,
  type Condition,
  groupOrder,
  holds,
  type Order,
  partName,
} from '../tables/statement.ts';
import type { TableSpec } from '../tables/table.ts';
import type { Named, RowOf } from '../tables/values.ts';
import type { Aggregation, Having } from './aggregation.ts';
import { Filtered } from './filtered.ts';
import { gather, onOneOf, type QueryScope, type Rows, rowsWith, type StreamScope } from './merging/gather.ts';
import { Ranking } from './merging/ranking.ts';
import type { MissingShard } from './merging/scatter.ts';
import { type OrderOptions, orderOf, orderWith } from './ordering.ts';
import type { Shards } from './shards.ts';

/** Groups that are kept to be put in order: more are refused, as they would fill the memory. */
const mostGroups = 1_000_000;

/**
 * Aggregates over shards: each shard contributes parts, which are merged. Conditions of `having` are about the whole, so they are checked after
 * that. Without `groupBy` there is one row, also of no rows.
 */
export class AggregateQuery<C, S extends TableSpec, R> extends Filtered<S, AggregateQuery<C, S, R>> {
  readonly #shards: Shards<C>;
  readonly #of: Aggregation;
  readonly #isEverywhere: boolean;

  constructor(shards: Shards<C>, of: Aggregation, isEverywhere: boolean) {
    super();
    this.#shards = shards;
    this.#of = of;
    this.#isEverywhere = isEverywhere;
  }

  /** A row for each group of rows that are equal in these columns, which it has too. @throws InvalidQueryError */
  groupBy<N extends Named<S>>(...columns: readonly N[]): AggregateQuery<C, S, R & RowOf<S, N>> {
    for (const column of columns) {
      orderOf(this.#of.table, column, 'asc');
      if (this.#of.aggregates.some(([name]) => name === column)) {
        throw new InvalidQueryError(
          `${describe(column)} is the name of an aggregate and of a column of the groups`,
        );
      }
    }
    return this.#with({ groupBy: [...new Set([...this.#of.groupBy, ...columns])] }) as never;
  }

  /** Only groups whose aggregate meets this. @throws InvalidQueryError */
  having<N extends keyof R & string>(
    name: N,
    op: Comparison,
    value: NonNullable<R[N]>,
  ): AggregateQuery<C, S, R> {
    const parsed = columnOf(this.#type(name)).parse(value);
    if (parsed === undefined) throw new InvalidQueryError(`${name} is not compared with ${describe(value)}`);
    return this.#with({ having: [...this.#of.having, { name, op, value: parsed }] });
  }

  /** Orders by an aggregate or a column of the groups. Groups that are equal in all are in the order of their columns. @throws InvalidQueryError */
  orderBy(name: keyof R & string, how: 'asc' | 'desc' | OrderOptions = {}): AggregateQuery<C, S, R> {
    return this.#with({ orderBy: [...this.#of.orderBy, orderWith(name, this.#type(name), how)] });
  }

  /** At most so many groups. @throws InvalidQueryError */
  limit(groups: number): AggregateQuery<C, S, R> {
    if (Number.isSafeInteger(groups) && groups >= 0) return this.#with({ limit: groups });
    throw new InvalidQueryError(`a limit is a number of groups, got ${describe(groups)}`);
  }

  /** Asks all shards that may have such rows, where the conditions do not say one key (scatter-gather). */
  everywhere(): AggregateQuery<C, S, R> {
    return new AggregateQuery(this.#shards, this.#of, true);
  }

  /**
   * All groups.
   *
   * @throws CrossShardError when the conditions do not say the shard key, and it is not for `everywhere`
   * @throws ShardFailedError when one of several shards has failed
   * @throws OutOfRangeError when a sum of `float8` is beyond it
   */
  async all(scope: QueryScope = {}): Promise<Rows<R>> {
    const { orderBy, limit = Number.POSITIVE_INFINITY } = this.#of;
    const missing: MissingShard[] = [];
    const rows: Row[] = [];
    for await (const row of this.#groups(scope, missing)) {
      if (orderBy.length === 0 && rows.length >= limit) break;
      if (rows.length >= mostGroups)
        throw new InvalidQueryError(`there are more than ${mostGroups} groups: ask for fewer with where`);
      rows.push(row);
    }
    if (orderBy.length > 0) rows.sort(await this.#comparison(rows, scope));
    return rowsWith(rows.slice(0, limit), missing) as unknown as Rows<R>;
  }

  protected override get conditions(): Aggregation {
    return this.#of;
  }

  protected override filteredBy(where: readonly Condition[]): AggregateQuery<C, S, R> {
    return this.#with({ where });
  }

  #with(change: Partial<Aggregation>): AggregateQuery<C, S, R> {
    return new AggregateQuery(this.#shards, { ...this.#of, ...change }, this.#isEverywhere);
  }

  #type(name: string) {
    const { table, groupBy, aggregates } = this.#of;
    const aggregate = aggregates.find(([each]) => each === name);
    if (aggregate !== undefined) return aggregate[1].type;
    if (groupBy.includes(name)) return table.spec.columns[name]!;
    throw new InvalidQueryError(
      `${describe(name)} is neither an aggregate of the query nor a column of its groups`,
    );
  }

  async #comparison(rows: readonly Row[], scope: QueryScope): Promise<(a: Row, b: Row) => number> {
    const orderBy: readonly Order[] = [...this.#of.orderBy, ...groupOrder(this.#of)];
    const ranking = Ranking.of(orderBy);
    const rank = rows.length > 1 ? ranking?.of([rows]) : undefined;
    if (rank !== undefined) await onOneOf(this.#asked(), scope, rank);
    return compareBy(orderBy, name => columnOf(this.#type(name)).compare!, ranking?.collations);
  }

  #asked() {
    const { table, where, joins, groupBy, aggregates } = this.#of;
    const parts = aggregates.map(([, { part }]) => part);
    const query: Aggregate = { kind: 'aggregate', table, where, joins, groupBy, parts };
    return { shards: this.#shards, query, isEverywhere: this.#isEverywhere };
  }

  /** The groups in the order of their columns, each when all shards have come past it. */
  async *#groups(scope: StreamScope, missing: MissingShard[]): AsyncGenerator<Row> {
    const { table, groupBy, aggregates, having } = this.#of;
    const compare = byOrder(table, groupOrder({ groupBy }));
    let group: Record<string, Value> | undefined;
    for await (const rows of gather(this.#asked(), scope, missing)) {
      for (const row of rows) {
        if (group !== undefined && compare(group, row) === 0) {
          for (const [i, [, { merge }]] of aggregates.entries())
            group[partName(i)] = merge(group[partName(i)], row[partName(i)]);
          continue;
        }
        if (group !== undefined) yield* this.#finished(group, having);
        group = { ...row };
      }
    }
    if (groupBy.length === 0)
      group ??= Object.fromEntries(aggregates.map(([, { none }], i) => [partName(i), none]));
    if (group !== undefined) yield* this.#finished(group, having);
  }

  *#finished(group: Row, having: readonly Having[]): Generator<Row> {
    const { groupBy, aggregates } = this.#of;
    const row: Record<string, Value> = Object.fromEntries(groupBy.map(column => [column, group[column]]));
    for (const [i, [name, { finish }]] of aggregates.entries()) row[name] = finish(group[partName(i)]);
    const passes = having.every(({ name, op, value }) => {
      return row[name] !== null && holds(columnOf(this.#type(name)).compare!(row[name], value), op);
    });
    if (passes) yield row;
  }
}
