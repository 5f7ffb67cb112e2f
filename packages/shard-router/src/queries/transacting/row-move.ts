import { execute, isQueryClient, type QueryClient } from '../../clients/client.ts';
import { nameOf } from '../../clients/sql-parts.ts';
import type { Row } from '../../columns/column.ts';
import { InvalidQueryError } from '../../errors/statements.ts';
import { selectOf } from '../../indexes/entry.ts';
import { equalTo, type Indexes } from '../../indexes/index.ts';
import { TransactionWrites } from '../../indexes/transaction-writes.ts';
import type { Table } from '../../tables/table-of.ts';
import type { Shards } from '../shards.ts';

/** Columns that an insert would leave out, and foreign keys that do more to other rows than to refuse. */
const surroundings = `
  SELECT 'column' AS kind, attname::text AS name, '' AS "table" FROM pg_attribute
  WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
  UNION ALL SELECT 'key', conname::text, conrelid::regclass::text FROM pg_constraint
  WHERE contype = 'f' AND conparentid = 0 AND confrelid = to_regclass($1) AND confdeltype IN ('c', 'n', 'd')`;

/**
 * Deletes a row and inserts it with other values in its primary key, in the transaction of these shards. Returns whether it was there.
 *
 * @throws InvalidQueryError when the row would lose something, DuplicateRowError when the new place is taken
 */
export async function moveRow<C>(
  shards: Shards<C>,
  { table, indexes }: { readonly table: Table; readonly indexes: Indexes | undefined },
  from: Row,
  to: Row,
): Promise<boolean> {
  const source = shards.on([table.keyOf(from)]);
  const target = shards.on([table.keyOf(to)]);
  const row = await source.write(async client => {
    if (isQueryClient(client)) await refuseLosses(client, table);
    return (await execute(client, selectOf(table, equalTo(from), true))).rows[0];
  });
  if (row === undefined) return false;
  if (indexes !== undefined) {
    await new TransactionWrites(shards, indexes, shards.claims!).move(row, to);
    return true;
  }
  await source.write(client => execute(client, { kind: 'delete', table, where: equalTo(from) }));
  const rows = [{ ...row, ...to }];
  await target.write(client => execute(client, { kind: 'insert', table, rows, onConflict: 'fail' }));
  return true;
}

async function refuseLosses(client: QueryClient, table: Table): Promise<void> {
  const { rows } = await client.query(surroundings, [nameOf(table)]);
  for (const { kind, name, table: other } of rows as readonly Readonly<Record<string, string>>[]) {
    if (kind === 'column' && table.columns.includes(name!)) continue;
    throw new InvalidQueryError(
      kind === 'column'
        ? `a row of ${table.name} would lose its ${name}, which the spec does not name: add it to \`columns\``
        : `the foreign key ${name} of ${other} would delete or change the rows that refer to a row of ${table.name}: make it NO ACTION, and move them too`,
    );
  }
}
