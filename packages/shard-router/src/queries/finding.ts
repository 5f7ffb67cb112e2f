import type { ReadScope } from '@ashlar/replica-failover/executor';
import { execute } from '../clients/client.ts';
import type { Row } from '../columns/column.ts';
import { InvalidQueryError } from '../errors/statements.ts';
import { selectOf } from '../indexes/claiming.ts';
import { equalTo, type Index, rowOf } from '../indexes/index.ts';
import type { Shards } from './shards.ts';

/** Rows that an index may find at once. */
const mostFound = 1_000;

/** The rows with these values in an index. @throws InvalidQueryError */
export async function findBy<C>(
  shards: Shards<C>,
  index: Index,
  values: Row,
  scope?: ReadScope,
): Promise<readonly Row[]> {
  const { table, entries, columns } = index;
  const others = Object.keys(values).filter(column => !columns.includes(column));
  const value = index.valueOf(values);
  if (value === undefined || others.length > 0)
    throw new InvalidQueryError(
      `the index ${index.name} of ${table.name} finds rows by ${columns.join(', ')}, all of them and not null`,
    );
  const query = { ...selectOf(entries, index.where(value)), limit: mostFound + 1 };
  const key = entries.keyOf(index.keyOf(value));
  const found = await shards.on([key]).read(client => execute(client, query), scope);
  if (found.count > mostFound)
    throw new InvalidQueryError(`the index ${index.name} of ${table.name} finds more than ${mostFound} rows`);
  const reading = found.rows.map(async entry => {
    const primaryKey = rowOf(table, entry['row'] as string);
    const select = selectOf(table, equalTo(primaryKey));
    const { rows } = await shards
      .on([table.keyOf(primaryKey)])
      .read(client => execute(client, select), scope);
    // An entry may be of a row that is not yet there, or not any more
    return rows.filter(row => index.valueOf(row) === value);
  });
  return (await Promise.all(reading)).flat();
}
