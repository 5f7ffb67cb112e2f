import { describe } from '@ashlar/core';
import type { Row } from '../columns/column.ts';
import { InvalidQueryError } from '../errors/statements.ts';
import type { JoinedSpec } from '../tables/joined-table.ts';
import type { Condition, Select } from '../tables/statement.ts';
import type { TableSpec } from '../tables/table.ts';
import type { Named } from '../tables/values.ts';
import { AggregateQuery } from './aggregate-query.ts';
import { type Aggregates, aggregationOf, type ResultsOf } from './aggregation.ts';
import { Filtered } from './filtered.ts';
import type { Pairs } from './joins/equal-columns.ts';
import { joined } from './joins/joining.ts';
import type { Lender } from './joins/lender.ts';
import { type Asks, LookupQuery, type Page, type PageOf } from './joins/lookup-query.ts';
import { nested } from './joins/nesting.ts';
import {
  type Asked,
  gather,
  gatherAll,
  type QueryScope,
  type Rows,
  rowsWith,
  type StreamScope,
} from './merging/gather.ts';
import type { MissingShard } from './merging/scatter.ts';
import { type OrderOptions, orderOf, withPrimaryKey } from './ordering.ts';
import { cursorOf, readCursor } from './page-cursor.ts';
import { checkTold, checkWhole } from './partial.ts';
import type { Shards } from './shards.ts';

/** The time of a stream that has none: executors take no infinity. Some 24 days. */
const longestMs = 2 ** 31 - 1;

function endless(scope: StreamScope): StreamScope {
  return { ...scope, timeoutMs: scope.timeoutMs ?? longestMs };
}

/**
 * A query of one table, or of the pairs of a join, whose columns are those of the table and `name.column` of the others. Each call returns another; nothing is sent before `all`, `first`, `page` or the first step of a stream. A query without
 * an order returns rows in any.
 */
export class SelectQuery<C, S extends TableSpec, R>
  extends Filtered<S, SelectQuery<C, S, R>>
  implements AsyncIterable<R>
{
  readonly #shards: Shards<C>;
  readonly #query: Select;
  readonly #isEverywhere: boolean;

  constructor(shards: Shards<C>, query: Select, isEverywhere: boolean) {
    super();
    this.#shards = shards;
    this.#query = query;
    this.#isEverywhere = isEverywhere;
  }

  /**
   * Orders by this column too. Rows that are equal in all are in the order of their primary key. Texts are in the order of their code points,
   * which is PostgreSQL's collation `C`, unless a collation is named. One that the shards do not have alike is refused when the query runs.
   *
   * @throws InvalidQueryError for a column without an order, or a collation of what is no text
   */
  orderBy(column: Named<S>, how: 'asc' | 'desc' | OrderOptions = {}): SelectQuery<C, S, R> {
    const order = orderOf(this.#query.table, column, how);
    return this.#with({ orderBy: [...this.#query.orderBy, order] });
  }

  /** At most so many rows. @throws InvalidQueryError */
  limit(rows: number): SelectQuery<C, S, R> {
    if (Number.isSafeInteger(rows) && rows >= 0) return this.#with({ limit: rows });
    throw new InvalidQueryError(`a limit is a number of rows, got ${describe(rows)}`);
  }

  /** Asks all shards that may have such rows, where the conditions do not say one key (scatter-gather). */
  everywhere(): SelectQuery<C, S, R> {
    return new SelectQuery(this.#shards, this.#query, true);
  }

  /**
   * All rows.
   *
   * @throws CrossShardError when the conditions do not say the shard key, and it is not for `everywhere`
   * @throws ShardFailedError when one of several shards has failed
   * @throws CollationError when the shards do not have a collation of the order alike
   */
  async all(scope: QueryScope = {}): Promise<Rows<R>> {
    const rows = await this.#run(this.#ordered(this.#query), scope);
    return this.#project(rows) as Rows<R>;
  }

  /**
   * How many rows there are, of a join how many pairs; an order and a limit do not matter.
   *
   * @throws InvalidQueryError when it may be partial, which a number could not say
   */
  async count(scope: QueryScope = {}): Promise<bigint> {
    checkWhole('a count', scope, "aggregate({ n: { count: '*' } }).all(…)");
    const [row] = await this.#aggregate<{ n: bigint }>({ n: { count: '*' } }).all(scope);
    return row!.n;
  }

  /**
   * Aggregates of the rows, of a join of the pairs: `{ orders: { count: '*' }, best: { max: 'buyer.score' } }`, grouped by columns of both. An order
   * does not matter.
   *
   * @throws InvalidQueryError also of a query with a limit
   */
  aggregate<const A extends Aggregates<S>>(aggregates: A): AggregateQuery<C, S, ResultsOf<S, A>> {
    if (this.#query.limit === undefined) return this.#aggregate(aggregates);
    throw new InvalidQueryError(
      'there are no aggregates of a query with a limit: the shards do not know which rows are within it',
    );
  }

  /**
   * Each row has under this name, as a list, the rows of `from` that equal it in these columns: `lookup('buyer', customers.select(), { tenant:
   * 'tenant', customer: 'id' })`. The columns must be selected.
   *
   * @throws InvalidQueryError
   */
  lookup<N extends string, F>(
    name: N,
    from: Asks<F>,
    on: Pairs<R, F>,
  ): LookupQuery<R & { readonly [Name in N]: readonly F[] }> {
    return new LookupQuery<R>(this, []).lookup(name, from, on);
  }

  /**
   * Each row with each of `from` that equals it in these columns, under this name: `join('buyer', customers.select(), { tenant: 'tenant',
   * customer: 'id' })`. One row for each pair, none for a row that equals no other. It runs on each shard, so the columns must include the shard
   * key of both, unless the other table is a reference table. An order, a limit, pages and aggregates are those of the pairs, and may name
   * `buyer.name`; pairs that are equal in an order are in that of both primary keys.
   *
   * @throws InvalidQueryError, also when the rows may be on different shards
   */
  join<N extends string, F, O extends TableSpec>(
    name: N,
    from: Asks<F, O>,
    on: Pairs<R, F>,
  ): SelectQuery<C, JoinedSpec<S, N, O>, R & { readonly [Name in N]: F }> {
    return this.#joined(name, from, on, false);
  }

  /** As `join`, and a row that equals no other is there once, with null. @throws InvalidQueryError */
  leftJoin<N extends string, F, O extends TableSpec>(
    name: N,
    from: Asks<F, O>,
    on: Pairs<R, F>,
  ): SelectQuery<C, JoinedSpec<S, N, O>, R & { readonly [Name in N]: F | null }> {
    return this.#joined(name, from, on, true);
  }

  /** Where the rows lie: equal for tables of one router. */
  get source(): unknown {
    return this.#shards.source;
  }

  /** Its table, of a join that of the pairs. */
  get spec(): S {
    return this.#query.table.spec as S;
  }

  /** What it asks, as data. @internal */
  get statement(): Select {
    return this.#query;
  }

  /** The first row. @throws InvalidQueryError when it may be partial, which a row could not say */
  async first(scope: QueryScope = {}): Promise<R | undefined> {
    checkWhole('a first row', scope, 'limit(1).all(…)');
    const { limit = 1 } = this.#query;
    const [row] = await this.#with({ limit: Math.min(1, limit) }).all(scope);
    return row;
  }

  /**
   * So many rows after those of another page. Pages are right also while rows move between shards, and a row that is written meanwhile
   * is on the page of its place. What a partial page lacks is on none of those after it, which say so.
   *
   * @throws InvalidQueryError when `after` is of another query
   */
  async page(page: PageOf, scope: QueryScope = {}): Promise<Page<R>> {
    const { size, after } = page;
    if (!Number.isSafeInteger(size) || size < 1)
      throw new InvalidQueryError(`a page has a size, got ${describe(size)}`);
    const { table, joins } = this.#query;
    const orderBy = withPrimaryKey(table, this.#query.orderBy, joins);
    const before = after === undefined ? undefined : readCursor(table, orderBy, after);
    const found = await this.#run(
      this.#ordered({ ...this.#query, orderBy, after: before?.row, limit: size + 1 }),
      scope,
    );
    const rows = rowsWith(found.slice(0, size), found.missing);
    const isPartial = before?.isPartial === true || found.missing.length > 0;
    const next = found.length > size ? cursorOf(table, orderBy, rows[size - 1]!, isPartial) : undefined;
    return { rows: this.#project(rows) as Rows<R>, next, isPartial };
  }

  /**
   * The rows one by one, as they come; `missing` is told of shards that fail when they may. Ends after 24 days, unless `timeoutMs` is given.
   *
   * @throws InvalidQueryError when it may be partial, and there is no list to tell
   */
  async *stream(scope: StreamScope = {}, missing?: MissingShard[]): AsyncGenerator<R, void> {
    checkTold(scope, missing);
    yield* this.#streamed(this.#asked(this.#ordered(this.#query)), endless(scope), missing);
  }

  /** As `stream`; look-ups may use its connections between its batches. @internal */
  async *streamLending(
    lender: Lender,
    scope: StreamScope,
    missing?: MissingShard[],
  ): AsyncGenerator<R, void> {
    const asked = { ...this.#asked(this.#ordered(this.#query)), lending: lender };
    yield* this.#streamed(asked, endless(scope), missing);
  }

  /** A stream that is a part of a larger query: it goes on also when all of its shards fail, and has the time of any query. @internal */
  streamPart(scope: StreamScope, missing: MissingShard[], lender?: Lender): AsyncGenerator<R, void> {
    const asked = this.#asked(this.#ordered(this.#query));
    const shards = lender === undefined ? asked.shards : lender.of(asked.shards);
    return this.#streamed({ ...asked, shards, isPart: true }, scope, missing);
  }

  [Symbol.asyncIterator](): AsyncGenerator<R, void> {
    return this.stream();
  }

  protected override get conditions(): Select {
    return this.#query;
  }

  protected override filteredBy(where: readonly Condition[]): SelectQuery<C, S, R> {
    return this.#with({ where });
  }

  #joined<T extends TableSpec, J>(
    name: string,
    from: Asks<unknown>,
    on: object,
    isOuter: boolean,
  ): SelectQuery<C, T, J> {
    const query = joined(this, name, from, Object.entries(on) as [string, string][], isOuter);
    return new SelectQuery(this.#shards, query, this.#isEverywhere);
  }

  #aggregate<A>(aggregates: Readonly<Record<string, object>>): AggregateQuery<C, S, A> {
    const { table, where, joins } = this.#query;
    const aggregation = { ...aggregationOf(table, aggregates), where, joins };
    return new AggregateQuery(this.#shards, aggregation, this.#isEverywhere);
  }

  #with(change: Partial<Select>): SelectQuery<C, S, R> {
    return new SelectQuery(this.#shards, { ...this.#query, ...change }, this.#isEverywhere);
  }

  /** With the primary key at the end of an order, and the columns that merging needs. */
  #ordered(query: Select): Select {
    if (query.orderBy.length === 0) return query;
    const orderBy = withPrimaryKey(query.table, query.orderBy, query.joins);
    return {
      ...query,
      orderBy,
      columns: [...new Set([...query.columns, ...orderBy.map(({ column }) => column)])],
    };
  }

  #project(rows: readonly Row[]): readonly Row[] {
    const projected = nested(this.#query, rows);
    return projected === rows ? rows : rowsWith(projected, (rows as Partial<Rows<Row>>).missing ?? []);
  }

  async *#streamed(
    asked: Asked<C>,
    scope: StreamScope,
    missing: MissingShard[] = [],
  ): AsyncGenerator<R, void> {
    for await (const rows of gather(asked, scope, missing)) yield* this.#project(rows) as readonly R[];
  }

  #run(query: Select, scope: QueryScope): Promise<Rows<Row>> {
    return gatherAll(this.#asked(query), scope);
  }

  #asked(query: Select): Asked<C> {
    return { shards: this.#shards, query, isEverywhere: this.#isEverywhere };
  }
}
