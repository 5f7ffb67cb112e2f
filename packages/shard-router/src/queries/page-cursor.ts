import type { Row, Value } from '../columns/column.ts';
import { InvalidQueryError } from '../errors/statements.ts';
import type { Order } from '../tables/statement.ts';
import type { Table } from '../tables/table-of.ts';

/** Characters that a cursor may have, so that it fits a URL. */
const longest = 2_000;

/** The form of a cursor, and of one after pages that lack rows of shards which failed. */
const forms = { whole: 1, partial: 2 };

/** Where a page begins. */
export interface PageStart {
  readonly row: Row;
  /** Whether the pages before it lack rows. */
  readonly isPartial: boolean;
}

/**
 * Where a page ends, as text for a URL: the values of the order's columns in its last row. It names no shard and no epoch, so rows that
 * move meanwhile are neither missed nor returned twice.
 */
export function cursorOf(table: Table, orderBy: readonly Order[], row: Row, isPartial: boolean): string {
  const texts = orderBy.map(({ column }) =>
    row[column] === null ? null : table.type(column).toText(row[column]),
  );
  const cursor = written([isPartial ? forms.partial : forms.whole, shapeOf(table, orderBy), ...texts]);
  if (cursor.length <= longest) return cursor;
  throw new InvalidQueryError(
    `the cursor of a page would have ${cursor.length} characters, and at most ${longest} fit a URL: order by shorter columns`,
  );
}

/** The same place, after pages that lack rows. */
export function partialCursor(cursor: string): string {
  return written([forms.partial, ...JSON.parse(read(cursor)).slice(1)]);
}

/** The values of a cursor's row. @throws InvalidQueryError when it is none, or of another query */
export function readCursor(table: Table, orderBy: readonly Order[], cursor: unknown): PageStart {
  const refused = new InvalidQueryError('`after` is no cursor that a page of this query has returned');
  if (typeof cursor !== 'string' || cursor.length > longest) throw refused;
  let parts: unknown;
  try {
    parts = JSON.parse(read(cursor));
  } catch {
    throw refused;
  }
  if (!Array.isArray(parts) || parts.length !== orderBy.length + 2) throw refused;
  if (!Object.values(forms).includes(parts[0]) || parts[1] !== shapeOf(table, orderBy)) throw refused;
  const row = Object.fromEntries(
    orderBy.map(({ column }, i) => [column, readValue(table, column, parts[i + 2], refused)]),
  );
  return { row, isPartial: parts[0] === forms.partial };
}

function written(parts: readonly unknown[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

function read(cursor: string): string {
  return Buffer.from(cursor, 'base64url').toString();
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
    ...orderBy.map(({ column, descending, nulls, collation }) =>
      [column, descending, nulls, ...(collation === undefined ? [] : [collation])].join(' '),
    ),
  ].join();
}
