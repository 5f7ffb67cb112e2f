import { createHash } from 'node:crypto';
import { type Rule, refused } from '@ashlar/core';
import { quote, quotePath } from './sql-text.ts';

/** The kinds of rows in the one table. */
export const kinds = { value: 0, claim: 1, epoch: 2, watcher: 3 } as const;

/** How long a deleted key keeps its row, so that watches find it. */
export const deletedForMs = 60_000;

/** How long a store counts as watching without saying so again. */
export const watchesForMs = 60_000;

/** How long a claim keeps its row, and so its token, after its end. */
export const endedClaimForMs: number = 7 * 86_400_000;

/** The columns, with their types as PostgreSQL writes them. */
export const columns = {
  kind: 'smallint NOT NULL',
  key: 'bytea NOT NULL',
  value: 'bytea',
  version: 'text',
  token: 'bigint',
  ends_at: 'timestamp with time zone',
  changed: 'xid8',
} as const;

/** The names of a store's table in SQL. */
export interface Table {
  /** As in the option. */
  readonly name: string;
  /** Quoted, to be written into statements. */
  readonly sql: string;
  /** Where writers notify watches. */
  readonly channel: string;
  readonly indexes: Readonly<Record<string, string>>;
}

/** The rule of `table`: `name` or `schema.name`, each of 1 to 50 bytes. */
export const table: Rule<Table> = (value = 'ashlar_store', option) => {
  const parts = typeof value === 'string' ? value.split('.') : [];
  const fits = parts.every(part => part !== '' && Buffer.byteLength(part) <= 50 && !part.includes('\0'));
  if (typeof value === 'string' && parts.length <= 2 && fits) return tableOf(value);
  throw refused(option, 'a name or schema.name, each of at most 50 bytes', value);
};

function tableOf(name: string): Table {
  const own = name.split('.').at(-1)!;
  return {
    name,
    sql: quotePath(name),
    channel: `ashlar_store_${shortHash(name)}`,
    indexes: {
      [`${own}_changed`]: `(changed) WHERE changed IS NOT NULL`,
      [`${own}_ends_at`]: `(kind, ends_at) WHERE ends_at IS NOT NULL`,
    },
  };
}

/** Creates the table and its indexes where they are missing, in one transaction, one process at a time. */
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

export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function lockNumber(name: string): bigint {
  return BigInt.asIntN(64, BigInt(`0x${shortHash(`ashlar_store ${name}`)}`));
}
