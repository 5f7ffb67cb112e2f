import type { Row, Value } from '../columns/column.ts';
import { InvalidQueryError } from '../errors/statements.ts';
import type { Order } from '../tables/statement.ts';
import type { Table } from '../tables/table-of.ts';

/** Characters that a cursor may have, so that it fits a URL. */
const longest = 2_000;

const version = 1;

/**
 * Where a page ends, as text for a URL: the values of the order's columns in its last row. It names no shard and no epoch, so rows that
 * move meanwhile are neither missed nor returned twice.
 */
export function cursorOf(table: Table, orderBy: readonly Order[], row: Row): string {
  const texts = orderBy.map(({ column }) =>
    row[column] === null ? null : table.type(column).toText(row[column]),
  );
  const json = JSON.stringify([version, shapeOf(table, orderBy), ...texts]);
  const cursor = Buffer.from(json).toString('base64url');
  if (cursor.length <= longest) return cursor;
  throw new InvalidQueryError(
    `the cursor of a page would have ${cursor.length} characters, and at most ${longest} fit a URL: order by shorter columns`,
  );
}

/** The values of a cursor's row. @throws InvalidQueryError when it is none, or of another query */
export function readCursor(table: Table, orderBy: readonly Order[], cursor: unknown): Row {
  const refused = new InvalidQueryError('`after` is no cursor that a page of this query has returned');
  if (typeof cursor !== 'string' || cursor.length > longest) throw refused;
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    throw refused;
  }
  if (!Array.isArray(parts) || parts.length !== orderBy.length + 2) throw refused;
  if (parts[0] !== version || parts[1] !== shapeOf(table, orderBy)) throw refused;
  return Object.fromEntries(
    orderBy.map(({ column }, i) => [column, readValue(table, column, parts[i + 2], refused)]),
  );
}

function readValue(table: Table, column: string, text: unknown, refused: Error): Value {
  if (text === null) return null;
  const type = table.type(column);
  try {
    const value = type.parse(type.fromText(text as string));
    // What is written otherwise was written by somebody else
    if (value !== undefined && type.toText(value) === text) return value;
  } catch {
    // As a text that is no integer
  }
  throw refused;
}

function shapeOf(table: Table, orderBy: readonly Order[]): string {
  return [
    table.name,
    ...orderBy.map(({ column, descending, nulls }) => `${column} ${descending} ${nulls}`),
  ].join();
}
