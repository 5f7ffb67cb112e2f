import { AshlarError, type CallOutcome, describe } from '@ashlar/core';
import { literal } from './sql-names.ts';
import { columns, type Table } from './table.ts';

/** The table is missing, or is not a store's. */
export class TableShapeError extends AshlarError {
  static override readonly code: string = 'ASHLAR_TABLE_SHAPE';
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly table: string;
  /** Each a sentence; empty when there is no such table. */
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

/** What `shapeQuery` finds. */
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
 * The shape of a table that is a store's, though indexes may be missing; undefined where there is none. A column more
 * does no harm if it need not be given.
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

/** @throws TableShapeError unless the table is there with its indexes */
export function wholeShapeOf(table: Table, json: string | null): Shape {
  const shape = shapeOf(table, json);
  const missing = Object.entries(table.indexes).filter(([name]) => !shape?.indexes.includes(name));
  if (shape !== undefined && missing.length === 0) return shape;
  const sentences = missing.map(([name, on]) => `there is no index ${name} on ${on}`);
  throw new TableShapeError(table.name, shape === undefined ? [] : sentences);
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
