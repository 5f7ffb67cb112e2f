import { schema } from '../moves/names.ts';
import type { SqlSession } from '../moves/sessions/sql-session.ts';

/** Something of the schema that is not the same in all databases. */
export interface Drift {
  /** As `shop.orders`; empty for what is of the whole database. */
  readonly table: string;
  readonly kind: 'database' | 'table' | 'column' | 'index' | 'constraint';
  readonly name: string;
  /** What each shard has; undefined where it is missing. */
  readonly shards: Readonly<Record<string, string | undefined>>;
}

export interface SchemaRow {
  readonly table: string;
  readonly kind: Drift['kind'];
  readonly name: string;
  readonly definition: string;
}

/**
 * What tables are made of, but for the notes of this package. An index of a constraint is that constraint. That a column is not null is said of
 * the column: only from PostgreSQL 18 on it is a constraint too.
 */
const query = `
  WITH tables AS (
    SELECT c.oid, c.relkind, c.relpersistence, c.relreplident, format('%I.%I', n.nspname, c.relname) AS "table"
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', '${schema}')
      AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'
      AND ($1::oid[] IS NULL OR c.oid = ANY ($1))
  )
  SELECT "table", 'table' AS kind, 'kind' AS name, concat_ws(', ',
      CASE relkind WHEN 'p' THEN 'partitioned ' || pg_get_partkeydef(oid) ELSE 'ordinary' END,
      CASE relpersistence WHEN 'u' THEN 'unlogged' END, 'replica identity ' || relreplident::text) AS definition FROM tables
  UNION ALL SELECT t."table", 'column', a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod),
      CASE WHEN a.attcollation <> 0 AND a.attcollation <> y.typcollation THEN 'COLLATE ' || l.collname END,
      CASE WHEN a.attnotnull THEN 'NOT NULL' END,
      CASE WHEN a.attgenerated <> '' THEN 'GENERATED AS (' || pg_get_expr(d.adbin, d.adrelid) || ')'
        || CASE a.attgenerated WHEN 'v' THEN ' VIRTUAL' ELSE '' END WHEN a.attidentity <> ''
        THEN 'IDENTITY ' || a.attidentity::text WHEN d.adbin IS NOT NULL THEN 'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid) END)
    FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_type y ON y.oid = a.atttypid
    LEFT JOIN pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  UNION ALL SELECT t."table", 'index', c.relname, pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ', not valid' END
    FROM tables t JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class c ON c.oid = i.indexrelid
    WHERE NOT EXISTS (SELECT FROM pg_constraint o WHERE o.conindid = i.indexrelid AND o.conrelid = t.oid)
  UNION ALL SELECT t."table", 'constraint', o.conname, pg_get_constraintdef(o.oid)
    FROM tables t JOIN pg_constraint o ON o.conrelid = t.oid WHERE o.contype NOT IN ('t', 'n')`;

const database = `
  SELECT '' AS "table", 'database' AS kind, name, definition FROM (
    SELECT 'encoding' AS name, pg_encoding_to_char(encoding) AS definition FROM pg_database WHERE datname = current_database()
    UNION ALL SELECT 'collation', concat_ws(' ', to_jsonb(d) ->> 'datlocprovider', d.datcollate, d.datctype, to_jsonb(d) ->> 'daticulocale',
      to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'datcollversion') FROM pg_database d WHERE datname = current_database()) found`;

/** What a database has, of these tables or of all. */
export async function schemaOf(
  session: SqlSession,
  oids: readonly number[] | undefined,
  signal: AbortSignal,
): Promise<readonly SchemaRow[]> {
  const tables = await session.run<SchemaRow>(query, [oids ?? null], signal);
  return oids === undefined ? [...(await session.run<SchemaRow>(database, [], signal)), ...tables] : tables;
}

/** What is not the same in all. Shards that have no table at all are told of it once. */
export function driftOf(schemas: Readonly<Record<string, readonly SchemaRow[]>>): readonly Drift[] {
  const shards = Object.keys(schemas).sort();
  const found = new Map<string, { row: SchemaRow; has: Map<string, string> }>();
  for (const shard of shards) {
    for (const row of schemas[shard]!) {
      const key = JSON.stringify([row.table, row.kind, row.name]);
      const each = found.get(key) ?? { row, has: new Map<string, string>() };
      found.set(key, each);
      each.has.set(shard, row.definition);
    }
  }
  const missing = new Set<string>();
  const drifts: Drift[] = [];
  for (const { row, has } of found.values()) {
    const isSame = has.size === shards.length && new Set(has.values()).size === 1;
    if (isSame) continue;
    const { table, kind, name } = row;
    if (kind === 'table') for (const shard of shards) if (!has.has(shard)) missing.add(`${shard} ${table}`);
    const told = shards.filter(shard => kind === 'table' || !missing.has(`${shard} ${table}`));
    const isTold = told.length > 1 && (told.some(shard => !has.has(shard)) || new Set(has.values()).size > 1);
    if (!isTold) continue;
    drifts.push({
      table,
      kind,
      name,
      shards: Object.fromEntries(told.map(shard => [shard, has.get(shard)])),
    });
  }
  return drifts.sort((a, b) =>
    `${a.table} ${a.kind} ${a.name}` < `${b.table} ${b.kind} ${b.name}` ? -1 : 1,
  );
}
