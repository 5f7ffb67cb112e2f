import { describe, InvalidOptionError } from '@ashlar/core';

/** One step of a schema, run once in each database. */
export interface Migration {
  /** Names it in the databases, for good: `0042-orders-note`. */
  readonly name: string;
  /** One statement, or several. */
  readonly sql: string;
  /**
   * Whether it runs in one transaction with the note that it has. Without, it must be one statement that may run twice; of `CREATE INDEX
   * CONCURRENTLY`, what an attempt has left is dropped before the next. Default: unless it has `CONCURRENTLY`.
   */
  readonly transaction?: boolean;
}

export interface CheckedMigration extends Required<Migration> {
  /** What `CREATE INDEX CONCURRENTLY` makes. */
  readonly index: { readonly name: string; readonly table: string } | undefined;
}

const createIndex =
  /^\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?("(?:[^"]|"")+"|\w+)\s+ON\s+(?:ONLY\s+)?((?:"(?:[^"]|"")+"|[\w.])+)/i;
const endsTransaction =
  /(^|;)\s*(BEGIN|COMMIT|ROLLBACK|END|START\s+TRANSACTION)(\s+(WORK|TRANSACTION))?\s*(;|$)/i;

/** @throws InvalidOptionError */
export function checkedMigrations(migrations: readonly Migration[]): readonly CheckedMigration[] {
  if (!Array.isArray(migrations)) throw refusal(migrations, 'must be a list');
  const names = new Set<string>();
  return migrations.map(migration => {
    const { name, sql } = (migration ?? {}) as Partial<Migration>;
    if (typeof name !== 'string' || name === '' || name.includes('\0'))
      throw refusal(migration, 'has no name');
    if (names.has(name)) throw refusal(name, 'is named twice');
    names.add(name);
    const bare = typeof sql === 'string' ? withoutText(sql) : '';
    if (typeof sql !== 'string' || bare.replaceAll(/[\s;]/g, '') === '') throw refusal(name, 'has no SQL');
    if (endsTransaction.test(bare))
      throw refusal(name, 'begins or ends a transaction: leave that out, it is run in one');
    const transaction = migration.transaction ?? !/\bCONCURRENTLY\b/i.test(bare);
    const [, index, table] = (transaction ? null : createIndex.exec(bare)) ?? [];
    return {
      name,
      sql,
      transaction,
      index: index === undefined ? undefined : { name: folded(index), table: table! },
    };
  });
}

/** Without comments, and without the texts and bodies in it. */
function withoutText(sql: string): string {
  return sql
    .replaceAll(/--[^\n]*|\/\*[\s\S]*?\*\//g, ' ')
    .replaceAll(/\$(\w*)\$[\s\S]*?\$\1\$/g, "''")
    .replaceAll(/'(?:[^']|'')*'/g, "''");
}

/** A name as the catalog has it. */
function folded(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase();
}

function refusal(given: unknown, why: string): InvalidOptionError {
  return new InvalidOptionError('migrations', `the migration ${describe(given)} ${why}`);
}
