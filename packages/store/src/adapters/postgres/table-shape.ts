import { AshlarError, type CallOutcome, describe } from '@ashlar/core';
import { literal } from './sql-text.ts';
import { columns, type Table } from './table.ts';

/** The table is missing, or is not a store's. Retryable, because another process may migrate. */
export class TableShapeError extends AshlarError {
  static override readonly code: string = 'ASHLAR_STORE_TABLE_SHAPE';
  static override readonly retryable: boolean = true;
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly table: string;
  /** A sentence each; empty when there is no such table. */
  readonly differences: readonly string[];

  constructor(table: string, differences: readonly string[]) {
    super(
      differences.length === 0
        ? `there is no table ${describe(table)}; \`await store.migrate()\` makes it`
        : `table ${describe(table)} is not a store's: ${differences.join('; ')}`,
    );
    this.table = table;
    this.differences = differences;
  }
}

/** The result of `shapeQuery`. */
export interface Shape {
  readonly kind: string;
  readonly persistence: string;
  readonly columns: Readonly<Record<string, string>>;
  readonly primaryKey: readonly string[];
  readonly indexes: readonly string[];
}

/** One text, the JSON of a `Shape`, or null where there is no such table. */
export function shapeQuery({ sql }: Table): string {
  return `SELECT json_build_object(
    'kind', c.relkind,
    'persistence', c.relpersistence,
    'columns', (SELECT coalesce(json_object_agg(attname, format_type(atttypid, atttypmod)
        || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END || CASE WHEN atthasdef THEN ' DEFAULT' ELSE '' END), '{}')
      FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
    'primaryKey', (SELECT coalesce(json_agg(a.attname ORDER BY k.at), '[]')
      FROM pg_index i, unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(attnum, at), pg_attribute a
      WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid AND a.attnum = k.attnum),
    'indexes', (SELECT coalesce(json_agg(n.relname), '[]') FROM pg_index i, pg_class n
      WHERE i.indrelid = c.oid AND n.oid = i.indexrelid AND i.indisvalid)
  )::text FROM pg_class c WHERE c.oid = to_regclass(${literal(sql)})`;
}

/**
 * The shape of a store's table, though indexes may be missing; undefined where there is no table. One more column does no
 * harm if a write need not give it.
 *
 * @throws TableShapeError
 */
export function shapeOf(table: Table, json: string | null): Shape | undefined {
  if (json === null) return undefined;
  const shape = JSON.parse(json) as Shape;
  const found = differences(shape);
  if (found.length > 0) throw new TableShapeError(table.name, found);
  return shape;
}

/** @throws TableShapeError unless the table exists with its indexes */
export function wholeShapeOf(table: Table, json: string | null): Shape {
  const shape = shapeOf(table, json);
  if (shape === undefined) throw new TableShapeError(table.name, []);
  const sentences = missingIndexes(table, shape).map(([name, on]) => `there is no index ${name} on ${on}`);
  if (sentences.length === 0) return shape;
  throw new TableShapeError(table.name, sentences);
}

/** Whether the table exists with its indexes. */
export function isWhole(table: Table, shape: Shape | undefined): boolean {
  return shape !== undefined && missingIndexes(table, shape).length === 0;
}

function missingIndexes(table: Table, shape: Shape): [name: string, on: string][] {
  return Object.entries(table.indexes).filter(([name]) => !shape.indexes.includes(name));
}

function differences(shape: Shape): string[] {
  const found: string[] = [];
  if (shape.kind !== 'r') found.push(`it is no ordinary table (relkind ${shape.kind})`);
  for (const [name, type] of Object.entries(columns)) {
    const is = shape.columns[name];
    if (is === undefined) found.push(`there is no column ${name} ${type}`);
    else if (is !== type) found.push(`column ${name} is ${is}, not ${type}`);
  }
  for (const [name, type] of Object.entries(shape.columns)) {
    if (!Object.hasOwn(columns, name) && type.endsWith(' NOT NULL'))
      found.push(`column ${name} must be given`);
  }
  if (shape.primaryKey.join() !== 'kind,key') {
    found.push(`the primary key is (${shape.primaryKey.join(', ')}), not (kind, key)`);
  }
  return found;
}
