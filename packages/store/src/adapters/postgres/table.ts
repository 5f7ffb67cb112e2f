import { createHash } from 'node:crypto';
import { describe, InvalidOptionError } from '@ashlar/core';

/** What the rows of the one table are. */
export const kinds = { value: 0, claim: 1, epoch: 2, watcher: 3 } as const;

/** How long a deleted key is remembered, so that whoever watches hears of it. */
export const deletedForMs = 60_000;

/** How long somebody who does not say so again counts as watching. */
export const watchesForMs = 60_000;

/** How long a claim that has ended keeps its row, and so its token. */
export const endedClaimForMs: number = 7 * 86_400_000;

const columns = {
  kind: 'smallint NOT NULL',
  key: 'bytea NOT NULL',
  value: 'bytea',
  version: 'text',
  token: 'bigint',
  ends_at: 'timestamp with time zone',
  changed: 'xid8',
} as const;

/** The names that a store's table has in SQL. */
export interface Table {
  /** As the option says it. */
  readonly name: string;
  /** Quoted, to be written into statements. */
  readonly sql: string;
  /** Where writers ring. */
  readonly channel: string;
  readonly indexes: Readonly<Record<string, string>>;
}

/** @throws InvalidOptionError unless it is `name` or `schema.name`, each of 1 to 50 bytes. */
export function tableOf(name: string): Table {
  const parts = typeof name === 'string' ? name.split('.') : [];
  const fits = parts.every(part => part !== '' && Buffer.byteLength(part) <= 50 && !part.includes('\0'));
  if (parts.length < 1 || parts.length > 2 || !fits) {
    throw new InvalidOptionError(
      'table',
      `\`table\` must be a name or schema.name, each of at most 50 bytes, got ${describe(name)}`,
    );
  }
  const own = parts.at(-1)!;
  const quoted = parts.map(quote).join('.');
  return {
    name,
    sql: quoted,
    channel: `ashlar_store_${shortHash(name)}`,
    indexes: {
      [`${own}_changed`]: `(changed) WHERE changed IS NOT NULL`,
      [`${own}_ends_at`]: `(kind, ends_at) WHERE ends_at IS NOT NULL`,
    },
  };
}

/** Makes the table with its indexes where they are missing, in one transaction, one process at a time. */
export function creation(table: Table): string {
  const lines = Object.entries(columns).map(([name, type]) => `  ${name} ${type},\n`);
  const indexes = Object.entries(table.indexes).map(
    ([name, on]) => `CREATE INDEX IF NOT EXISTS ${quote(name)} ON ${table.sql} ${on};\n`,
  );
  return (
    `SELECT pg_advisory_xact_lock(${lockNumber(table.name)});\n` +
    `CREATE TABLE IF NOT EXISTS ${table.sql} (\n${lines.join('')}  PRIMARY KEY (kind, key)\n);\n` +
    indexes.join('')
  );
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
    'columns', (SELECT json_object_agg(attname, format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END || CASE WHEN atthasdef THEN ' DEFAULT' ELSE '' END)
      FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
    'primaryKey', (SELECT coalesce(json_agg(a.attname ORDER BY k.at), '[]')
      FROM pg_index i, unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(attnum, at), pg_attribute a
      WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid AND a.attnum = k.attnum),
    'indexes', (SELECT coalesce(json_agg(n.relname), '[]') FROM pg_index i, pg_class n
      WHERE i.indrelid = c.oid AND n.oid = i.indexrelid AND i.indisvalid)
  )::text FROM pg_class c WHERE c.oid = to_regclass(${literal(sql)})`;
}

/** How the table differs from what it must be, for people. A column more does no harm if it need not be given. */
export function differences(shape: Shape): string[] {
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

/** What `creation` adds to a table that is otherwise right. */
export function missingIndexes({ indexes }: Table, shape: Shape): string[] {
  return Object.entries(indexes)
    .filter(([name]) => !shape.indexes.includes(name))
    .map(([name, on]) => `there is no index ${name} on ${on}`);
}

export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function lockNumber(name: string): bigint {
  return BigInt.asIntN(64, BigInt(`0x${shortHash(`ashlar_store ${name}`)}`));
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
