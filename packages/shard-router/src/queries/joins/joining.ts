import { InvalidQueryError } from '../../errors/statements.ts';
import { joinedColumn, joinedTable } from '../../tables/joined-table.ts';
import type { Join, Select } from '../../tables/statement.ts';
import { checkEqual, checkName } from './equal-columns.ts';
import type { Asks } from './lookup-query.ts';

/**
 * A query with the rows of another that are on the same shard.
 *
 * @throws InvalidQueryError also when rows that equal may be on different shards
 */
export function joined(
  query: Asks<unknown>,
  name: string,
  from: Asks<unknown>,
  pairs: readonly (readonly [string, string])[],
  isOuter: boolean,
): Select {
  const { statement: left } = query;
  const { statement: right } = from;
  const { table } = right;
  if (left.table.isReference)
    throw new InvalidQueryError(`${left.table.name} is a reference table: join it to the rows of another`);
  checkName(name, left, []);
  checkEqual('a join', left, right, pairs);
  const more = right.limit !== undefined || right.orderBy.length > 0 || (right.joins ?? []).length > 0;
  if (more)
    throw new InvalidQueryError(
      `a join in ${table.name} takes its rows: it has no order, limit or join of its own`,
    );
  checkColocated(query, from, pairs);
  const join: Join = { name, table, columns: right.columns, where: right.where, on: pairs, isOuter };
  // What is known of a pair: whether there is another row, and which
  const needed = [...new Set([...right.columns, ...table.spec.primaryKey])];
  return {
    ...left,
    table: joinedTable(left.table, join),
    columns: [...left.columns, ...needed.map(column => joinedColumn(join, column))],
    joins: [...(left.joins ?? []), join],
  };
}

function checkColocated(
  left: Asks<unknown>,
  from: Asks<unknown>,
  pairs: readonly (readonly [string, string])[],
): void {
  const [{ table }, { table: other }] = [left.statement, from.statement] as readonly [Select, Select];
  if (left.source !== from.source) {
    throw new InvalidQueryError(
      `${other.name} is a table of another router, whose rows are elsewhere than those of ${table.name}: use \`lookup\``,
    );
  }
  if (other.isReference) return;
  const isColocated = table.spec.key.every((column, i) =>
    pairs.some(([here, there]) => here === column && there === other.spec.key[i]),
  );
  if (isColocated) return;
  const keys = table.spec.key.map((column, i) => `${column} = ${other.spec.key[i]}`).join(', ');
  throw new InvalidQueryError(
    `rows of ${table.name} and ${other.name} are on one shard where ${keys}: join by these too, or use \`lookup\``,
  );
}
