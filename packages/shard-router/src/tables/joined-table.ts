import { InvalidQueryError } from '../errors/statements.ts';
import type { Join } from './statement.ts';
import type { ColumnType, TableSpec } from './table.ts';
import type { Table } from './table-of.ts';
import type { Named } from './values.ts';

/** Bytes that PostgreSQL keeps of a name. */
const longest = 63;

/** The columns of the pairs of a join: those of the one table, and those of the other behind the name of the join and a dot. */
export interface JoinedSpec<S extends TableSpec, N extends string, O extends TableSpec> {
  readonly key: S['key'];
  readonly primaryKey: S['primaryKey'];
  readonly columns: S['columns'] & {
    readonly [Column in Named<O> as `${N}.${Column}`]: O['columns'][Column] & ColumnType;
  };
}

/** The name of a column of another table among those of the pairs. */
export function joinedColumn({ name }: Pick<Join, 'name'>, column: string): string {
  return `${name}.${column}`;
}

/** The table whose rows are the pairs. @throws InvalidQueryError when a name does not fit */
export function joinedTable(table: Table, join: Join): Table {
  const { name } = join;
  if (name === '' || /["\0]/.test(name)) {
    throw new InvalidQueryError(
      `a join has a name without quotes, as \`buyer\`, got ${JSON.stringify(name)}`,
    );
  }
  const columns = join.table.columns.map(column => [joinedColumn(join, column), column] as const);
  for (const [joined] of columns) {
    if (table.columns.includes(joined))
      throw new InvalidQueryError(`${table.name} has a column ${joined} already: give the join another name`);
    if (new TextEncoder().encode(joined).length > longest)
      throw new InvalidQueryError(
        `${joined} is longer than the ${longest} bytes of a name: give the join a shorter one`,
      );
  }
  return table.with(
    Object.fromEntries(columns.map(([joined, column]) => [joined, join.table.spec.columns[column]!])),
  );
}

/** The columns of the pairs that are those of the first table. */
export function ownColumns(
  columns: readonly string[],
  joins: readonly Pick<Join, 'name' | 'table'>[] = [],
): readonly string[] {
  const others = new Set(joins.flatMap(join => join.table.columns.map(column => joinedColumn(join, column))));
  return columns.filter(column => !others.has(column));
}
