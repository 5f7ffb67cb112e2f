import { createHash } from 'node:crypto';
import { describe, InvalidOptionError } from '@ashlar/core';
import { quote, quotePath } from './sql-names.ts';

/** What the rows of the one table are. */
export const kinds = { value: 0, claim: 1, epoch: 2, watcher: 3 } as const;

/** How long a deleted key is remembered, so that whoever watches hears of it. */
export const deletedForMs = 60_000;

/** How long somebody who does not say so again counts as watching. */
export const watchesForMs = 60_000;

/** How long a claim that has ended keeps its row, and so its token. */
export const endedClaimForMs: number = 7 * 86_400_000;

/** With their types as PostgreSQL writes them. */
export const columns = {
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

export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function lockNumber(name: string): bigint {
  return BigInt.asIntN(64, BigInt(`0x${shortHash(`ashlar_store ${name}`)}`));
}
