import type { Row, Value } from '../../columns/column.ts';
import { InvalidQueryError } from '../../errors/statements.ts';
import type { Select } from '../../tables/statement.ts';
import type { TableSpec } from '../../tables/table.ts';
import type { Table } from '../../tables/table-of.ts';
import { type QueryScope, type Rows, rowsWith, type StreamScope } from '../merging/gather.ts';
import type { MissingShard } from '../merging/scatter.ts';
import { partialCursor } from '../page-cursor.ts';
import { checkTold } from '../partial.ts';
import { Unawaited } from '../unawaited.ts';
import { checkEqual, checkName, type Pairs } from './equal-columns.ts';
import { Lender } from './lender.ts';

/** The part of a query of one table that a join or a look-up needs. */
export interface Asks<R, S extends TableSpec = TableSpec> {
  /** What it asks, as data. @internal */
  readonly statement: Select;
  /** Its table. */
  readonly spec: S;
  /** Where the rows lie: equal for tables of one router. */
  readonly source: unknown;
  // biome-ignore lint/suspicious/noExplicitAny: the columns are checked when the look-up is made
  where(column: any, op: 'in', values: any): Asks<R, S>;
  all(scope?: QueryScope): Promise<Rows<R>>;
  count(scope?: QueryScope): Promise<bigint>;
  page(page: PageOf, scope?: QueryScope): Promise<Page<R>>;
  stream(scope?: StreamScope, missing?: MissingShard[]): AsyncGenerator<R, void>;
  /** As `stream`, with a lender that gets its connections. @internal */
  streamLending(lender: Lender, scope: StreamScope, missing?: MissingShard[]): AsyncGenerator<R, void>;
  /** @internal */
  streamPart(scope: StreamScope, missing: MissingShard[], lender?: Lender): AsyncGenerator<R, void>;
}

/** Which page of a query. */
export interface PageOf {
  /** Rows. */
  readonly size: number;
  /** `next` of the page before; without, the first page. */
  readonly after?: string | undefined;
}

export interface Page<R> {
  readonly rows: Rows<R>;
  /** Where the next page begins: give it as `after`. Undefined after the last page. */
  readonly next: string | undefined;
  /**
   * Whether this page, or one before it, lacks rows of shards that failed. They are on no later page: ask again for the page whose rows
   * have something `missing`, with the same `after`. Never, unless `onShardError` is `partial`.
   */
  readonly isPartial: boolean;
}

interface Lookup {
  readonly name: string;
  readonly from: Asks<unknown>;
  readonly pairs: readonly (readonly [left: string, right: string])[];
}

/** Rows that look up at once: as many values as a list of a condition may have, and fewer than fill the memory. */
const rowsAtOnce = 500;

/** Rows that the rows of one batch may find: more are refused, as they would fill the memory. */
const mostFound = 100_000;

/**
 * Rows of one table, each with those of another that equal it in some columns (look-up join). The rows of the first stream; for each 500
 * of them, the second query runs once, for the values that they have. A row that finds nothing has an empty list. What is found is read
 * later than the rows, not in their snapshot.
 */
export class LookupQuery<R> extends Unawaited implements AsyncIterable<R> {
  readonly #rows: Asks<unknown>;
  readonly #lookups: readonly Lookup[];

  constructor(rows: Asks<unknown>, lookups: readonly Lookup[]) {
    super();
    this.#rows = rows;
    this.#lookups = lookups;
  }

  /** Each row has under this name, as a list, the rows of `from` that equal it in these columns. @throws InvalidQueryError */
  lookup<N extends string, F>(
    name: N,
    from: Asks<F>,
    on: Pairs<R, F>,
  ): LookupQuery<R & { readonly [Name in N]: readonly F[] }> {
    checkName(name, this.#rows.statement, this.#lookups);
    const pairs = Object.entries(on) as [string, string][];
    checkPairs(this.#rows.statement, from.statement, pairs);
    return new LookupQuery(this.#rows, [...this.#lookups, { name, from, pairs }]);
  }

  /** All rows, each with what it finds. Rejects as the two queries do. */
  async all(scope: QueryScope = {}): Promise<Rows<R>> {
    return this.#whole(await this.#rows.all(scope), scope);
  }

  /** How many rows there are, which is not how many they find. */
  count(scope: QueryScope = {}): Promise<bigint> {
    return this.#rows.count(scope);
  }

  /** So many rows after those of another page, each with what it finds. Pages are those of the rows. */
  async page(page: PageOf, scope: QueryScope = {}): Promise<Page<R>> {
    const { next, isPartial, ...found } = await this.#rows.page(page, scope);
    const rows = await this.#whole(found.rows, scope);
    if (rows.missing.length === 0) return { rows, next, isPartial };
    return { rows, next: next && partialCursor(next), isPartial: true };
  }

  /** Refused: what is looked up lies on other shards than the rows. @throws InvalidQueryError */
  aggregate(_aggregates: object): never {
    const names = this.#lookups.map(({ from }) => from.statement.table.name).join(', ');
    throw new InvalidQueryError(
      `there are no aggregates of what is looked up in ${names}: its rows may be on other shards. Use \`join\`, with the shard key among the equal columns or with a reference table, or group the rows by the column and look up what the groups name`,
    );
  }

  /**
   * The rows as they come; `missing` is told of shards that fail when they may. It looks up on the connections of the rows, and on others where
   * it has none of the shard.
   *
   * @throws InvalidQueryError when a batch finds too many
   */
  async *stream(scope: StreamScope = {}, missing?: MissingShard[]): AsyncGenerator<R, void> {
    checkTold(scope, missing);
    const told = missing ?? [];
    const lender = new Lender();
    let batch: Row[] = [];
    for await (const row of this.#rows.streamLending(lender, scope, told)) {
      batch.push(row as Row);
      if (batch.length < rowsAtOnce) continue;
      yield* await this.#found(batch, scope, told, lender);
      batch = [];
    }
    yield* await this.#found(batch, scope, told);
  }

  [Symbol.asyncIterator](): AsyncGenerator<R, void> {
    return this.stream();
  }

  /** Looks up when the rows are all here: whoever kept a connection for them meanwhile might wait for those who do the same. */
  async #whole(rows: Rows<unknown>, scope: QueryScope): Promise<Rows<R>> {
    const missing = [...rows.missing];
    const found: R[] = [];
    for (let at = 0; at < rows.length; at += rowsAtOnce)
      found.push(...(await this.#found(rows.slice(at, at + rowsAtOnce) as readonly Row[], scope, missing)));
    return rowsWith(found, missing);
  }

  async #found(
    batch: readonly Row[],
    scope: StreamScope,
    missing: MissingShard[],
    lender?: Lender,
  ): Promise<readonly R[]> {
    let rows = batch;
    for (const lookup of this.#lookups) {
      const groups = groupsOf(lookup, rows, this.#rows.statement.table);
      if (groups.size > 0) {
        const lacking: MissingShard[] = [];
        await find(lookup, rows, groups, scope, lacking, lender);
        // Once, however many batches ask it
        missing.push(...lacking.filter(({ shard }) => missing.every(each => each.shard !== shard)));
      }
      rows = rows.map(row => ({
        ...row,
        [lookup.name]: listOf(groups, idOf(lookup, row, 0, this.#rows.statement.table)),
      }));
    }
    return rows as readonly R[];
  }
}

function listOf(groups: ReadonlyMap<string, readonly Row[]>, id: string | undefined): readonly Row[] {
  return id === undefined ? [] : groups.get(id)!;
}

function checkPairs(left: Select, right: Select, pairs: readonly (readonly [string, string])[]): void {
  if (right.limit !== undefined) {
    throw new InvalidQueryError(
      `a look-up in ${right.table.name} has a limit, which would be that of each batch and not of each row`,
    );
  }
  checkEqual('a look-up', left, right, pairs);
}

/** An empty list for each set of values that the rows have. A null is equal to nothing. */
function groupsOf(lookup: Lookup, rows: readonly Row[], table: Table): Map<string, Row[]> {
  const ids = rows.map(row => idOf(lookup, row, 0, table)).filter(id => id !== undefined);
  return new Map(ids.map(id => [id, []]));
}

async function find(
  lookup: Lookup,
  rows: readonly Row[],
  groups: Map<string, Row[]>,
  scope: StreamScope,
  missing: MissingShard[],
  lender: Lender | undefined,
): Promise<void> {
  const { from, pairs } = lookup;
  const { table } = from.statement;
  const query = pairs.reduce<Asks<unknown>>(
    (so, [left, right]) => so.where(right, 'in', valuesOf(rows, left, table, right)),
    from,
  );
  let found = 0;
  for await (const row of query.streamPart(scope, missing, lender) as AsyncIterable<Row>) {
    const id = idOf(lookup, row, 1, table);
    const group = id === undefined ? undefined : groups.get(id);
    // Of several columns, the lists also have what no row has together
    if (group === undefined) continue;
    group.push(row);
    if (++found > mostFound) {
      throw new InvalidQueryError(
        `${rows.length} rows find more than ${mostFound} in ${table.name}: ask for fewer with where`,
      );
    }
  }
}

/** What the rows have in a column, without what the other column cannot have. */
function valuesOf(rows: readonly Row[], left: string, table: Table, right: string): readonly Value[] {
  const type = table.type(right);
  const values = rows
    .map(row => row[left])
    .filter(value => value !== null && type.parse(value) !== undefined);
  return [...new Map(values.map(value => [type.identity(value), value])).values()];
}

/** Equal for rows that are equal in the columns, of the one side or the other; undefined when one is null. */
function idOf({ pairs }: Lookup, row: Row, side: 0 | 1, table: Table): string | undefined {
  const ids: string[] = [];
  for (const pair of pairs) {
    const value = row[pair[side]];
    if (value === null) return undefined;
    ids.push(table.type(pair[side]).identity(value));
  }
  return JSON.stringify(ids);
}
