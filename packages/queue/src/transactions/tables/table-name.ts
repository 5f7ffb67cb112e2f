import { type Rule, refused } from '@ashlar/core';

/** The name of a table, for statements. */
export interface TableName {
  /** As in the option. */
  readonly name: string;
  /** Quoted, to be written into statements. */
  readonly sql: string;
  /** As a literal of type text: what tells its locks from those of other tables. */
  readonly literal: string;
  /** The quoted name of an index of it. */
  index(suffix: string): string;
}

/** The rule of `table`: `name` or `schema.name`, each of 1 to 50 bytes. */
export function tableName(orElse: string): Rule<TableName> {
  return (value = orElse, option) => {
    const parts = typeof value === 'string' ? value.split('.') : [];
    const fits = parts.every(part => part !== '' && Buffer.byteLength(part) <= 50 && !part.includes('\0'));
    if (typeof value !== 'string' || parts.length > 2 || !fits) {
      throw refused(option, 'a name or schema.name, each of at most 50 bytes', value);
    }
    const own = parts.at(-1)!;
    return {
      name: value,
      sql: parts.map(quote).join('.'),
      literal: literal(value),
      index: suffix => quote(`${own}_${suffix}`),
    };
  };
}

/** An identifier, to be written into statements. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/**
 * Whether the table is there, as `true` or `false`. To be asked first: making it again, also `IF NOT EXISTS`, waits for
 * the transactions that write into it, and others would wait behind that.
 */
export function existence({ sql }: TableName): string {
  return `SELECT (to_regclass(${literal(sql)}) IS NOT NULL)::text AS there`;
}

/** 64 bits of a hash: the number of an advisory lock that is known without the server, the end of a name. */
export function hashNumber(purpose: string): bigint {
  const { createHash } = process.getBuiltinModule('node:crypto'); // no import, as browsers have none
  const hash = createHash('sha256').update(`ashlar-queue ${purpose}`).digest();
  return hash.readBigInt64BE();
}
