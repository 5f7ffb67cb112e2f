import { TableShapeError } from '../../errors.ts';
import { literal } from './table-name.ts';

/** A table and its columns, each with its type as the server writes it. */
export interface ExpectedTable {
  /** As in the option. */
  readonly name: string;
  /** Quoted. */
  readonly sql: string;
  readonly columns: Readonly<Record<string, string>>;
}

interface Found {
  readonly name: string;
  readonly kind: string;
  readonly columns: Readonly<Record<string, readonly [type: string, mustBeGiven: boolean]>>;
}

/** One row, whose `shapes` is what `checkShapes` takes. */
export function shapeQuery(tables: readonly ExpectedTable[]): string {
  const names = tables.map(({ name, sql }) => `(${literal(name)}, to_regclass(${literal(sql)}))`);
  return `SELECT coalesce(json_agg(json_build_object('name', t.name, 'kind', c.relkind, 'columns', (
      SELECT coalesce(json_object_agg(attname, json_build_array(format_type(atttypid, atttypmod),
        attnotnull AND NOT atthasdef AND attidentity = '')), '{}')
      FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped))), '[]')::text AS shapes
    FROM (VALUES ${names.join(', ')}) AS t(name, oid) JOIN pg_class c ON c.oid = t.oid`;
}

/** One more column does no harm if a write need not give it. @throws TableShapeError for a table that is there and another's */
export function checkShapes(expected: readonly ExpectedTable[], shapes: string): void {
  for (const found of JSON.parse(shapes) as readonly Found[]) {
    const table = expected.find(({ name }) => name === found.name)!;
    const sentences = differences(table, found);
    if (sentences.length > 0) throw new TableShapeError(table.name, sentences);
  }
}

function differences({ columns }: ExpectedTable, found: Found): string[] {
  if (found.kind !== 'r' && found.kind !== 'p') return [`it is no table (relkind ${found.kind})`];
  const missing = Object.entries(columns).flatMap(([name, type]) => {
    const is = found.columns[name]?.[0];
    if (is === undefined) return [`there is no column ${name} ${type}`];
    return is === type ? [] : [`column ${name} is ${is}, not ${type}`];
  });
  const more = Object.entries(found.columns).flatMap(([name, [, mustBeGiven]]) =>
    mustBeGiven && !Object.hasOwn(columns, name) ? [`column ${name} must be given`] : [],
  );
  return [...missing, ...more];
}
